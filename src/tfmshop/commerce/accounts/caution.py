"""Checking passwords with caution: whoever guesses has few tries, and the owner still gets in.

Wrong passwords are counted for the account, for the address, and for everybody together; a device on which the owner
signed in before has tries of its own (the device cookie of OWASP's "Slow Down Online Guessing Attacks"), and so has an
address from which they did, so that those who guess elsewhere cannot lock anybody out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tfmshop.commerce.accounts.errors import InvalidCredentials
from tfmshop.platform import clock, ids, limits
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Row, Tx
from tfmshop.platform.limits import Allowance, Block, Refusal
from tfmshop.platform.observe import security
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals, opened

SPAN: Final = timedelta(minutes=15)
OF_AN_ADDRESS: Final = 30
"""Wrong passwords that come from one address in 15 minutes before it is blocked: an office has many people."""
OF_EVERYBODY: Final = 1000
"""Wrong passwords in 15 minutes from devices that are not known, for the whole shop. Beyond that it is under attack,
and an address that has `UNDER_ATTACK` wrong ones of its own waits; nobody is locked out by what others do.
"""
UNDER_ATTACK: Final = 3
EVERYBODY: Final = "sign-in:everybody"
DEVICE: Final = "device"
REFUSED_AFTER: Final = 0.1
"""Seconds that a refused sign-in takes at least. A check takes some 30 ms, less or more by what the machine does beside
it; whatever is wrong, the answer leaves at the same moment.
"""


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

    async def let_in(self, person: Row | None, email: str, password: str, caller: Caller, begun: float) -> None:
        """Pass whoever knows the password of an account that is open. `InvalidCredentials`, after the same time since
        `begun` whatever is wrong, and when the account has no try left; `TooManyTries` when the address has none.
        """
        stored = person["password_hash"] if person is not None and person["is_active"] else None
        if not await self._fits(stored, password, self._tries(person, email, caller), caller.address):
            await limits.idle(REFUSED_AFTER - (monotonic() - begun))
            raise InvalidCredentials

    async def proven(self, customer: UUID, stored: str | None, password: str) -> bool:
        """Whether somebody who is signed in knows their password; as few tries as an account has."""
        own = None if self.tries is None else Allowance(f"person:{customer.hex}", self.tries, SPAN)
        return await self._fits(stored, password, _Tries(own), "")

    def device_token(self, customer: UUID, kept: str, device: str | None) -> str:
        """The token that makes a device known to the account, for who just proved to be its owner: the one it has, or
        a new one. It is good until the password changes, of which `kept` is the hash.
        """
        known = self.known_device(customer, kept, device)
        return known or self.seals.token(DEVICE, ids.new(), _owner(customer, kept))

    def known_device(self, customer: UUID, kept: str, device: str | None) -> str | None:
        """The device token, if it is one of the account."""
        return device if device is not None and self._device(device, customer, kept) else None

    def _device(self, device: str, customer: UUID, kept: str) -> UUID | None:
        sealed = opened(device)
        return sealed.id if sealed and self.seals.fits(sealed, DEVICE, _owner(customer, kept)) else None

    def _tries(self, person: Row | None, email: str, caller: Caller) -> _Tries:
        if self.tries is None:
            return _Tries(None)
        device = person and caller.device and self._device(caller.device, person["id"], person["password_hash"])
        if device:
            return _Tries(Allowance(f"device:{device.hex}", self.tries, SPAN))
        key = f"account:{self.seals.seal(b'tries' + email.encode())[:16].hex()}"
        if person is not None and person["known_here"] and caller.address:
            key = f"place:{person['id'].hex}:{caller.household}"
        return _Tries(
            Allowance(key, self.tries, SPAN),
            (Allowance(f"sign-in:{caller.household}", OF_AN_ADDRESS, SPAN), Allowance(EVERYBODY, OF_EVERYBODY, SPAN)),
        )

    async def _fits(self, stored: str | None, password: str, tries: _Tries, address: str) -> bool:
        if tries.own is None:
            return await self.passwords.matches(stored, password)
        taken, begun = clock.now(), monotonic()
        refusal = await self._take(tries, taken)
        if refusal is not None and refusal.allowance is tries.own:
            await self.passwords.seem_to_check(monotonic() - begun)
            refusal = await self._take(tries, taken)
        if refusal is not None:
            security.tell("sign-in refused", address=address, key=refusal.allowance.key, until=refusal.until)
            if refusal.allowance is not tries.own:
                raise refusal.error()
            await self._wrong(tries.watched, taken)
            return False
        try:
            fits = await self.passwords.matches(stored, password)
        except BaseException:
            await self._give_back(tries.own, taken)
            raise
        if fits:
            await self._give_back(tries.own, taken)
        else:
            security.tell("wrong password", address=address, key=tries.own.key, known=stored is not None)
            await self._wrong(tries.watched, taken)
        return fits

    async def _take(self, tries: _Tries, now: datetime) -> Refusal | None:
        """A try of the account, if the address is not used up; one that is not known has few while all are guessed."""
        own = [tries.own] if tries.own else []

        async def take(tx: Tx) -> Refusal | None:
            refusal = await limits.take(tx, own, now, tries.watched)
            if refusal is None or refusal.allowance.key != EVERYBODY:
                return refusal
            return await limits.take(tx, own, now, [replace(tries.watched[0], most=UNDER_ATTACK)])

        return await self.db.transact(take)

    async def _give_back(self, own: Allowance, taken: datetime) -> None:
        await self.db.transact(lambda tx: limits.give_back(tx, [own], taken))

    async def _wrong(self, watched: Sequence[Allowance], now: datetime) -> None:
        """Count a wrong password for the address, which is blocked when it has had too many, and for everybody."""
        if not watched:
            return

        async def note(tx: Tx) -> Block | None:
            of_address, _ = await limits.note(tx, watched, now)
            if of_address < OF_AN_ADDRESS:
                return None
            return await limits.block(tx, watched[0].key, f"{OF_AN_ADDRESS} wrong passwords in 15 minutes", now)

        block = await self.db.transact(note)
        if block is not None:
            security.tell("address blocked", key=block.key, until=block.until, strikes=block.strikes, why=block.why)


def _owner(customer: UUID, kept: str) -> bytes:
    return customer.bytes + kept.encode()


@dataclass(frozen=True, slots=True)
class _Tries:
    """Whose tries a password takes: its account's or device's own (None for any number), and which are watched."""

    own: Allowance | None
    watched: tuple[Allowance, ...] = ()
