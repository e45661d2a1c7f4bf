"""Checking passwords with caution: whoever guesses has few tries, and the owner still gets in.

Wrong passwords are counted for the account, for the address, and for everybody together; a device on which the owner
signed in before has tries of its own (the device cookie of OWASP's "Slow Down Online Guessing Attacks"), so that those
who guess cannot lock anybody out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tfmshop.commerce.accounts.errors import InvalidCredentials
from tfmshop.platform import clock, ids, limits
from tfmshop.platform.db import Database, Row
from tfmshop.platform.limits import Allowance, Refusal
from tfmshop.platform.observe import security
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals, opened

SPAN: Final = timedelta(minutes=15)
OF_AN_ADDRESS: Final = 30
"""Wrong passwords that come from one address in 15 minutes before it is blocked: an office has many people."""
OF_EVERYBODY: Final = 1000
"""Wrong passwords in 15 minutes from devices that are not known, for the whole shop. Beyond that it is under attack,
and an address has only `UNDER_ATTACK`; nobody is locked out by what others do.
"""
UNDER_ATTACK: Final = 3
EVERYBODY: Final = "sign-in:everybody"
DEVICE: Final = "device"


@dataclass(frozen=True, slots=True)
class Caller:
    """Where somebody signs in from: the address, what stands for everybody behind it, the browser, the device token."""

    address: str
    household: str
    user_agent: str = ""
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Caution:
    """Checks passwords; `tries` is how many wrong ones an account has in 15 minutes, None for any number."""

    db: Database
    passwords: Passwords
    seals: Seals
    tries: int | None

    async def let_in(self, person: Row | None, email: str, password: str, caller: Caller) -> None:
        """Pass whoever knows the password of an account that is open. `InvalidCredentials`, after the same time
        whatever is wrong, and when the account has no try left; `TooManyTries` when the address has none.
        """
        allowances = self._allowances(person, email, caller)
        stored = person["password_hash"] if person is not None and person["is_active"] else None
        if not await self._fits(stored, password, allowances, caller.address):
            raise InvalidCredentials

    async def proven(self, customer: UUID, stored: str | None, password: str) -> bool:
        """Whether somebody who is signed in knows their password; as few tries as an account has."""
        allowances = [] if self.tries is None else [Allowance(f"person:{customer.hex}", self.tries, SPAN)]
        return await self._fits(stored, password, allowances, "")

    def device_token(self, customer: UUID, device: str | None) -> str:
        """The token that makes a device known to the account: the one it has, or a new one."""
        if device is not None and self._known(device, customer):
            return device
        return self.seals.token(DEVICE, ids.new(), customer.bytes)

    def _known(self, device: str, customer: UUID) -> UUID | None:
        sealed = opened(device)
        return sealed.id if sealed and self.seals.fits(sealed, DEVICE, customer.bytes) else None

    def _allowances(self, person: Row | None, email: str, caller: Caller) -> list[Allowance]:
        if self.tries is None:
            return []
        if person is not None and caller.device and (device := self._known(caller.device, person["id"])):
            return [Allowance(f"device:{device.hex}", self.tries, SPAN)]
        account = self.seals.seal(b"tries" + email.encode())[:16].hex()
        return [
            Allowance(f"sign-in:{caller.household}", OF_AN_ADDRESS, SPAN),
            Allowance(EVERYBODY, OF_EVERYBODY, SPAN),
            Allowance(f"account:{account}", self.tries, SPAN),
        ]

    async def _fits(self, stored: str | None, password: str, allowances: Sequence[Allowance], address: str) -> bool:
        taken = clock.now()
        refusal = await self._take(allowances, taken)
        if refusal is not None and refusal.allowance.key == EVERYBODY:
            allowances = [replace(allowances[0], most=UNDER_ATTACK), allowances[-1]]
            refusal = await self._take(allowances, taken)
        if refusal is not None:
            await self._refuse(refusal, taken, address)
            return False
        if not await self.passwords.matches(stored, password):
            key = allowances[-1].key if allowances else ""
            security.tell("wrong password", address=address, key=key, known=stored is not None)
            return False
        if allowances:
            async with self.db.tx() as tx:
                await limits.give_back(tx, allowances, taken)
        return True

    async def _take(self, allowances: Sequence[Allowance], now: datetime) -> Refusal | None:
        if not allowances:
            return None
        async with self.db.tx() as tx:
            return await limits.take(tx, allowances, now)

    async def _refuse(self, refusal: Refusal, now: datetime, address: str) -> None:
        key = refusal.allowance.key
        security.tell("sign-in refused", address=address, key=key, until=refusal.until)
        if key.startswith("sign-in:"):
            await self._block(key, refusal.allowance.most, now)
            raise refusal.error()
        await self.passwords.seem_to_check()

    async def _block(self, key: str, most: int, now: datetime) -> None:
        async with self.db.tx() as tx:
            block = await limits.block(tx, key, f"{most} wrong passwords in 15 minutes", now)
        if block is not None:
            security.tell("address blocked", key=key, until=block.until, strikes=block.strikes, why=block.why)
