"""A payment company that ships with the shop and does what its tokens say.

`ok` authorises, `decline` declines, `timeout` never answers, `twice` authorises and is asked a second time, as a
company does whose first answer was lost (the second answer is the first one again), `challenge` sends the buyer to a
page first, and `late` tells the shop by webhook before it answers. With a journal, a file of one JSON line for each
thing that happened, it remembers across processes and crashes, as a company would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.payments.errors import PaymentDeclined, UnknownPaymentToken
from tfmshop.commerce.payments.journal import Entry, Journal
from tfmshop.commerce.payments.port import Authorization, Challenge, Failed, News, Notice, Payment
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.security.webhooks import signed, verify

TOKENS: Final = ("ok", "decline", "timeout", "challenge", "twice", "late")
FOREVER_SECONDS: Final = 3600.0
SECRET: Final = b"the fake company's secret, which everybody knows"


class Message(msgspec.Struct, frozen=True):
    """A webhook of the fake company."""

    key: UUID
    news: News
    reference: str
    amount: int


class FakeProvider:
    """Keeps payments by key; `calls` lists every key it was asked to authorise; `tell` hears its webhooks."""

    def __init__(self, journal: Path | None = None, page: str = "/api/v1/fake-bank/{key}") -> None:
        self._journal = Journal(journal)
        self._page = page
        self.calls: list[str] = []
        self.tell: Callable[[Notice | Failed], Awaitable[None]] | None = None

    def check(self, token: str) -> None:
        """Refuse an unknown token."""
        if token not in TOKENS:
            raise UnknownPaymentToken

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        """Do what the token says."""
        self.check(token)
        key, amount = payment.key, payment.amount
        self.calls.append(key)
        known = self._journal.known(key)
        if known is not None and known.state in {"authorized", "captured"}:
            return Authorization(known.reference, known.amount)
        if token == "decline" or (known is not None and known.state != "asked"):  # noqa: S105 - not a secret
            raise PaymentDeclined(reason="insufficient funds")
        if token == "timeout":  # noqa: S105 - not a secret
            await asyncio.sleep(FOREVER_SECONDS)
        if token == "challenge":  # noqa: S105 - not a secret
            if known is None:
                self._journal.note(Entry(key, "asked", amount.amount, amount.currency))
            return Challenge(self._page.format(key=key))
        authorized = self._authorize(key, amount)
        if token == "twice":  # noqa: S105 - not a secret
            return await self.authorize(payment, "ok")
        if token == "late":  # noqa: S105 - not a secret
            await self._say(Notice(UUID(key), News.AUTHORIZED, authorized.reference, amount.amount))
        return authorized

    async def confirm(self, key: str, *, approve: bool) -> bool:
        """What the buyer says at the page; False when nobody was asked about that key."""
        known = self._journal.known(key)
        if known is None or known.state != "asked":
            return False
        if approve:
            reference = self._authorize(key, known.amount).reference
            await self._say(Notice(UUID(key), News.AUTHORIZED, reference, known.amount.amount))
        else:
            self._journal.note(Entry(key, "declined"))
            await self._say(Notice(UUID(key), News.DECLINED, "", known.amount.amount))
        return True

    async def find(self, payment: Payment) -> Authorization | None:
        """What was authorised for that payment."""
        return self.promised(payment.key)

    def promised(self, key: str) -> Authorization | None:
        """What was authorised for a key."""
        known = self._journal.known(key)
        if known is None or known.state not in {"authorized", "captured"}:
            return None
        return Authorization(known.reference, known.amount)

    async def capture(self, payment: Payment) -> str:
        """Take the money; a second time takes nothing."""
        key, amount = payment.key, payment.amount
        known = self._journal.known(key)
        if known is None or known.state not in {"authorized", "captured"}:
            raise PaymentDeclined(reason="nothing is authorised")
        if known.state == "authorized":
            self._journal.note(Entry(key, "captured", amount.amount, amount.currency, known.reference))
        return known.reference

    async def refund(self, payment: Payment, refund_key: str, amount: Money) -> str:
        """Give a part back, once for each `refund_key`."""
        key = payment.key
        known = self._journal.known(key)
        if known is None or known.state != "captured":
            raise PaymentDeclined(reason="nothing was captured")
        if refund_key in known.failed:
            raise PaymentDeclined(reason="the refund failed")
        if refund_key not in known.refunds:
            if sum(units for _, units in known.refunds.values()) + amount.amount > known.captured:
                raise PaymentDeclined(reason="more than was captured")
            self._journal.note(Entry(key, "refunded", amount.amount, amount.currency, refund_key))
        return self._journal.of(key).refunds[refund_key][0]

    async def send_back(self, key: str, refund_key: str, why: str) -> None:
        """Have a refund fail after it was made, as when the buyer's account is closed; the shop is told."""
        self._journal.note(Entry(key, "refund_failed", reference=refund_key))
        await self._say(Failed(refund_key, why))

    async def void(self, payment: Payment) -> None:
        """Let go of everything that payment has."""
        known = self._journal.known(payment.key)
        if known is None or known.state != "voided":
            self._journal.note(Entry(payment.key, "voided"))

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """What a webhook of this company says."""
        verify(headers, body, SECRET)
        message = codec.decode_as(body, Message)
        return Notice(message.key, message.news, message.reference, message.amount)

    async def close(self) -> None:
        """There is nothing to close."""

    def webhook(self, notice: Notice) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a webhook, as this company would send them."""
        body = codec.encode(Message(notice.order_id, notice.news, notice.reference, notice.amount))
        return signed(f"msg_{ids.readable(12)}", clock.now(), body, SECRET), body

    def taken(self, key: str) -> int:
        """The money that this company has of a buyer for a key, in minor units."""
        known = self._journal.known(key)
        if known is None or known.state != "captured":
            return 0
        return known.captured - sum(units for _, units in known.refunds.values())

    def _authorize(self, key: str, amount: Money) -> Authorization:
        reference = f"fake_{ids.readable(12)}"
        self._journal.note(Entry(key, "authorized", amount.amount, amount.currency, reference))
        return Authorization(self._journal.of(key).reference, amount)

    async def _say(self, notice: Notice | Failed) -> None:
        if self.tell is not None:
            await self.tell(notice)
