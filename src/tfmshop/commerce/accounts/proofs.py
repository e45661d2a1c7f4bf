"""Proofs that a person reads an address: a letter with a link, good once and for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.errors import InvalidCredentials, LinkInvalid
from tfmshop.commerce.accounts.model import normal_email
from tfmshop.commerce.accounts.sessions import SALT_BYTES, end_all
from tfmshop.commerce.accounts.store_sessions import (
    ADD_PROOF,
    FIND_PROOF,
    PASSWORD,
    SET_PASSWORD,
    SPOIL_PROOFS,
    USE_PROOF,
    VERIFIED,
)
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals, opened

LIFETIMES: Final = {"reset": timedelta(hours=1), "verify": timedelta(days=3), "email": timedelta(hours=24)}
AN_HOUR: Final = 5
"""Letters of a purpose that one person gets in an hour: whoever asks for more, asks for nothing."""


class Asked(msgspec.Struct, frozen=True):
    """Something that an address shall hear of, once for its `id`; `new` when its account was just made."""

    id: UUID
    email: str
    new: bool = False


async def ask(tx: Tx, email: str) -> None:
    """Have a letter with a link to a new password sent, if the address has an account. Nobody learns whether: only the
    job looks.
    """
    await jobs.enqueue(tx, "accounts.forgot", Asked(ids.new(), normal_email(email)))


async def add(tx: Tx, purpose: str, asked: Asked) -> bool:
    """Keep a proof with the id of what was asked, for a letter to carry; not for an address without an account, nor for
    one that got too many letters.
    """
    now = clock.now()
    given = await tx.value(
        ADD_PROOF, asked.id, normal_email(asked.email), purpose, ids.secret(SALT_BYTES), now,
        now + LIFETIMES[purpose], AN_HOUR,
    )  # fmt: skip
    return given is not None


async def token_of(tx: Tx, seals: Seals, proof: UUID) -> str:
    """The token that the link of a proof carries. `LinkInvalid` when it is forgotten."""
    row = await tx.row(FIND_PROOF, proof)
    if row is None:
        raise LinkInvalid
    return seals.token(row["purpose"], proof, row["salt"])


async def _use(tx: Tx, seals: Seals, purpose: str, token: str) -> UUID:
    """Whose proof a token is; it is good no more. `LinkInvalid`."""
    sealed = opened(token)
    row = await tx.row(FIND_PROOF, sealed.id) if sealed else None
    if sealed is None or row is None or not seals.fits(sealed, purpose, row["salt"]):
        raise LinkInvalid
    used = await tx.row(USE_PROOF, sealed.id, purpose)
    if used is None:
        raise LinkInvalid
    return UUID(int=used["customer_id"].int)


async def verify(tx: Tx, seals: Seals, token: str) -> None:
    """Note that a person reads their address. `LinkInvalid`."""
    await tx.execute(VERIFIED, await _use(tx, seals, "verify", token))


async def reset(db: Database, passwords: Passwords, seals: Seals, *, token: str, password: str) -> None:
    """Set a new password for whoever has the link; every session ends, and every other link. `LinkInvalid`."""
    hashed = await passwords.hash(password)

    async def work(tx: Tx) -> None:
        customer = await _use(tx, seals, "reset", token)
        await _set(tx, customer, hashed, verified=True)

    await db.transact(work)


async def change_password(db: Database, passwords: Passwords, viewer: Viewer, *, old: str, new: str) -> None:
    """Change one's password, knowing the old one; every other session ends. `InvalidCredentials`."""
    async with db.read() as tx:
        row = await tx.row(PASSWORD, viewer.id)
    if not await passwords.matches(row["password_hash"] if row else None, old):
        raise InvalidCredentials
    hashed = await passwords.hash(new)
    await db.transact(lambda tx: _set(tx, viewer.id, hashed, but=viewer.session))


async def _set(tx: Tx, customer: UUID, hashed: str, *, verified: bool = False, but: UUID | None = None) -> None:
    await tx.execute(SET_PASSWORD, customer, hashed, clock.now() if verified else None)
    await tx.execute(SPOIL_PROOFS, customer, "reset")
    await end_all(tx, customer, "the password changed", but=but)
    row = await tx.row(PASSWORD, customer)
    if row is not None:
        await jobs.enqueue(tx, "accounts.password_changed", Asked(ids.new(), row["email"]))
