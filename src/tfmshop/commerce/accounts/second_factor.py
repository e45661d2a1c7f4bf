"""A second factor: codes of an app by the clock (TOTP, RFC 6238), and recovery codes for who lost it."""

from __future__ import annotations

import base64
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import pyotp

from tfmshop.commerce.accounts.caution import Caller, Caution
from tfmshop.commerce.accounts.errors import (
    FactorThere,
    SecondFactorInvalid,
    SecondFactorRequired,
)
from tfmshop.commerce.accounts.people import id_of
from tfmshop.commerce.accounts.proofs import proven
from tfmshop.commerce.accounts.sessions import SALT_BYTES, Signed, end_all, must_live
from tfmshop.commerce.accounts.sessions import begin as begin_session
from tfmshop.commerce.accounts.store_factor import (
    BEGIN,
    CONFIRM,
    DROP,
    HOLD,
    NOTE_FAILURE,
    NOTE_SUCCESS,
    WEAKEN,
)
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.seals import Seals

STEP_SECONDS: Final = 30
WINDOW: Final = 1
"""Steps before and after the present one whose codes are good: clocks differ."""
RECOVERY_CODES: Final = 10
FREE_TRIES: Final = 5
"""Wrong codes in a row before each costs a wait, which doubles."""
LONGEST_WAIT: Final = timedelta(minutes=15)


class Secret(msgspec.Struct, frozen=True):
    """What the app must know: to be typed (base32), or as an address for a QR code. It is shown once."""

    secret: str
    uri: str


async def begin(caution: Caution, viewer: Viewer, *, password: str, shop: str) -> Secret:
    """A new secret; it counts once `confirm` saw a code of it.

    `InvalidCredentials`, `FactorThere`, `SignInRequired` when the session is over.
    """
    email = (await proven(caution, viewer.id, password)).email
    salt = ids.secret(SALT_BYTES)

    async def work(tx: Tx) -> None:
        await must_live(tx, viewer)
        if await tx.value(BEGIN, viewer.id, salt) is None:
            raise FactorThere

    await caution.db.transact(work)
    totp = _totp(caution.seals, viewer.id, salt)
    return Secret(totp.secret, totp.provisioning_uri(name=email, issuer_name=shop))


async def confirm(tx: Tx, seals: Seals, viewer: Viewer, code: str) -> list[str] | None:
    """Have the second factor count from now on; the recovery codes, shown once, or None when the code is wrong, which
    costs a wait after five times. Every other session ends.

    `SecondFactorInvalid` when none was begun, `FactorThere`, `SignInRequired` when the session is over.
    """
    await must_live(tx, viewer)
    row = await tx.row(HOLD, viewer.id)
    if row is not None and row["confirmed_at"] is not None:
        raise FactorThere
    if row is None:
        raise SecondFactorInvalid
    now = clock.now()
    if _waits(row, now):
        return None
    step = _step_of(seals, row, code, now)
    if step is None:
        await _failed(tx, row, now)
        return None
    codes = [ids.readable(10) for _ in range(RECOVERY_CODES)]
    await tx.execute(CONFIRM, viewer.id, step, [_kept(seals, viewer.id, one) for one in codes])
    await end_all(tx, viewer.id, "a second factor was set up", but=viewer.session)
    return [f"{one[:5]}-{one[5:]}" for one in codes]


async def passed(tx: Tx, seals: Seals, customer: UUID, code: str | None) -> bool | None:
    """Whether a code is right: of the app, or a recovery code, each once. None for a person without a second factor.

    `SecondFactorRequired` without a code. After five wrong ones each costs a wait, in which none is right.
    """
    row = await tx.row(HOLD, customer)
    if row is None or row["confirmed_at"] is None:
        return None
    if code is None:
        raise SecondFactorRequired
    now = clock.now()
    if _waits(row, now):
        return False
    step = _step_of(seals, row, code, now)
    if step is not None:
        await tx.execute(NOTE_SUCCESS, customer, step, row["recovery"])
        return True
    used = _kept(seals, customer, code.upper().replace("-", "").replace(" ", ""))
    left = [one for one in row["recovery"] if not hmac.compare_digest(one, used)]
    if len(left) < len(row["recovery"]):
        await tx.execute(NOTE_SUCCESS, customer, row["last_step"], left)
        return True
    await _failed(tx, row, now)
    return False


async def enter(tx: Tx, seals: Seals, person: Viewer, kept: str, code: str | None, caller: Caller) -> Signed | None:
    """A session of a person who proved to be the account's owner, `kept` being the hash that is kept of their password;
    None when their code is wrong. `SecondFactorRequired`, `InvalidCredentials`.
    """
    right = await passed(tx, seals, person.id, code)
    if right is False:
        return None
    who = replace(person, strong=bool(right))
    return await begin_session(tx, seals, who, kept, user_agent=caller.user_agent, address=caller.address)


async def drop(caution: Caution, viewer: Viewer, *, password: str, code: str) -> None:
    """Do without a second factor, with the password and a last code.

    `InvalidCredentials`, `SecondFactorInvalid`, `SignInRequired` when the session is over.
    """
    await proven(caution, viewer.id, password)

    async def work(tx: Tx) -> bool:
        await must_live(tx, viewer)
        right = await passed(tx, caution.seals, viewer.id, code)
        if right:
            await _drop(tx, viewer.id)
        return bool(right)

    if not await caution.db.transact(work):
        raise SecondFactorInvalid


async def drop_lost(tx: Tx, email: str) -> UUID:
    """For operators: take away the second factor of somebody who lost it, and end their sessions; who it is.
    `NoSuchPerson`.
    """
    customer = await id_of(tx, email)
    await _drop(tx, customer)
    await end_all(tx, customer, "the second factor was taken away")
    return customer


async def _drop(tx: Tx, customer: UUID) -> None:
    await tx.execute(DROP, customer)
    await tx.execute(WEAKEN, customer)


def _waits(row: Row, now: datetime) -> bool:
    """Whether no code is right for a while."""
    return row["next_try_at"] is not None and bool(row["next_try_at"] > now)


async def _failed(tx: Tx, row: Row, now: datetime) -> None:
    """Count a wrong code: after five, each costs a wait."""
    failed = row["failed"] + 1
    wait = min(timedelta(seconds=2 ** min(failed - FREE_TRIES, 20)), LONGEST_WAIT) if failed >= FREE_TRIES else None
    await tx.execute(NOTE_FAILURE, row["customer_id"], failed, now + wait if wait else None)


def _totp(seals: Seals, customer: UUID, salt: bytes) -> pyotp.TOTP:
    secret = seals.seal(b"totp" + customer.bytes + salt)[:20]
    return pyotp.TOTP(base64.b32encode(secret).decode(), interval=STEP_SECONDS)


def _step_of(seals: Seals, row: Row, code: str, now: datetime) -> int | None:
    """The time step whose code this is, if it is near now and none of its or a later one was used."""
    totp = _totp(seals, row["customer_id"], row["salt"])
    present = int(now.timestamp()) // STEP_SECONDS
    for step in range(present - WINDOW, present + WINDOW + 1):
        if step > row["last_step"] and hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def _kept(seals: Seals, customer: UUID, code: str) -> bytes:
    """What is kept of a recovery code: it is too short for a plain hash."""
    return seals.seal(b"recovery" + customer.bytes + code.encode())
