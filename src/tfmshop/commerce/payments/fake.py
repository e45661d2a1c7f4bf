"""A payment company that lives in this process and does what its tokens say.

`ok` authorises, `decline` declines, `timeout` never answers, `twice` authorises and is asked a second time, as a
company does whose first answer was lost: the second answer is the first one again.
"""

from __future__ import annotations

import asyncio

from tfmshop.commerce.payments.errors import PaymentDeclined, UnknownPaymentToken
from tfmshop.commerce.payments.port import Authorization
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import ids

TOKENS = ("ok", "decline", "timeout", "twice")
FOREVER_SECONDS = 3600.0


class FakeProvider:
    """Keeps its authorisations in memory, by key; `calls` lists every key it was asked for."""

    def __init__(self) -> None:
        self._authorized: dict[str, Authorization] = {}
        self.calls: list[str] = []

    def check(self, token: str) -> None:
        """Refuse an unknown token."""
        if token not in TOKENS:
            raise UnknownPaymentToken

    async def authorize(self, key: str, amount: Money, token: str) -> Authorization:
        """Do what the token says."""
        self.check(token)
        self.calls.append(key)
        if key in self._authorized:
            return self._authorized[key]
        if token == "decline":  # noqa: S105 - the fake's word, not a secret
            raise PaymentDeclined(reason="insufficient funds")
        if token == "timeout":  # noqa: S105 - the fake's word, not a secret
            await asyncio.sleep(FOREVER_SECONDS)
        self._authorized[key] = Authorization(f"fake_{ids.readable(12)}", amount)
        if token == "twice":  # noqa: S105 - the fake's word, not a secret
            return await self.authorize(key, amount, "ok")
        return self._authorized[key]

    async def find(self, key: str) -> Authorization | None:
        """The authorisation with that key, if there is one."""
        return self._authorized.get(key)

    async def void(self, key: str) -> None:
        """Forget the authorisation with that key."""
        self._authorized.pop(key, None)
