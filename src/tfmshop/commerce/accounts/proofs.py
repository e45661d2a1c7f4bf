"""Proofs that a person reads an address: a letter with a link, good once and for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.caution import Caution
from tfmshop.commerce.accounts.errors import InvalidCredentials, LinkInvalid
from tfmshop.commerce.accounts.model import known_of, normal_email
from tfmshop.commerce.accounts.sessions import SALT_BYTES, end_all, must_live
from tfmshop.commerce.accounts.store_factor import DROP_UNPROVEN
from tfmshop.commerce.accounts.store_identities import FORGET
from tfmshop.commerce.accounts.store_sessions import (
    ADD_PROOF,
    FIND_PROOF,
    HOLD_BY_EMAIL,
    PASSWORD,
    PROVES,
    SET_PASSWORD,
    SPOIL_PROOFS,
    USE_PROOF,
    VERIFIED,
)
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import Viewer
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
    email, now = normal_email(asked.email), clock.now()
    await tx.value(HOLD_BY_EMAIL, email)
    given = await tx.value(
        ADD_PROOF, asked.id, email, purpose, ids.secret(SALT_BYTES), now, now + LIFETIMES[purpose], AN_HOUR
    )
    return given is not None


async def is_good(tx: Tx, proof: UUID) -> bool:
    """Whether the link of a proof can still be used."""
    return await tx.row(FIND_PROOF, proof) is not None


async def token_of(tx: Tx, seals: Seals, proof: UUID) -> str:
    """The token that the link of a proof carries. `LinkInvalid` when it is forgotten."""
    row = await tx.row(FIND_PROOF, proof)
    if row is None:
        raise LinkInvalid
    return seals.token(row["purpose"], proof, row["salt"])


async def checked(tx: Tx, seals: Seals, purpose: str, token: str) -> UUID:
    """The proof that a token is of, if it is good. `LinkInvalid`."""
    sealed = opened(token)
    row = await tx.row(FIND_PROOF, sealed.id) if sealed else None
    if sealed is None or row is None or not seals.fits(sealed, purpose, row["salt"]):
        raise LinkInvalid
    return sealed.id


class _Used(NamedTuple):
    """Whose a proof was, and whether they had proved before to read their address."""

    customer: UUID
    verified: bool


async def _use(tx: Tx, seals: Seals, purpose: str, token: str) -> _Used:
    """Whose proof a token is; it is good no more. `LinkInvalid`."""
    used = await tx.row(USE_PROOF, await checked(tx, seals, purpose, token), purpose)
    if used is None:
        raise LinkInvalid
    return _Used(UUID(int=used["customer_id"].int), used["verified"])


async def verify(tx: Tx, seals: Seals, viewer: Viewer, token: str) -> None:
    """Note that a person reads their address, who is signed in: whoever reads it without the password did not register
    with it. `LinkInvalid`, `SignInRequired`.
    """
    await must_live(tx, viewer)
    if (await _use(tx, seals, "verify", token)).customer != viewer.id:
        raise LinkInvalid
    await tx.execute(VERIFIED, viewer.id)


async def reset(caution: Caution, *, token: str, password: str, unproven: Callable[[Tx, UUID], Awaitable[None]]) -> str:
    """Set a new password for whoever has the link; every session, link and account elsewhere ends. The token that makes
    their device known, so that they get in however many guess. `LinkInvalid`, `PasswordTooCommon`.

    Who registered may be somebody else as long as nobody proved to read the address: their second factor and addresses
    go, and what `unproven` takes away, a part of the same transaction.
    """
    seals = caution.seals
    async with caution.db.read() as tx:
        person = await tx.row(PROVES, await checked(tx, seals, "reset", token))
    if person is None:
        raise LinkInvalid
    hashed = await caution.passwords.hash(password, known_of(person["email"], person["name"]))

    async def work(tx: Tx) -> UUID:
        customer, verified = await _use(tx, seals, "reset", token)
        await end_all(tx, customer, "the password changed")  # waits for a factor that is confirmed at this moment
        if not verified:
            await tx.execute(DROP_UNPROVEN, customer)
            await unproven(tx, customer)
        await tx.execute(SET_PASSWORD, customer, hashed, clock.now(), None)
        await _changed(tx, customer)
        return customer

    return caution.device_token(await caution.db.transact(work), hashed, None)


class Proven(NamedTuple):
    """Whoever knows their password, and the hash that is kept of it."""

    email: str
    name: str
    password_hash: str


async def proven(caution: Caution, customer: UUID, password: str) -> Proven:
    """A person who knows their password. `InvalidCredentials`."""
    async with caution.db.read() as tx:
        row = await tx.row(PASSWORD, customer)
    if not await caution.proven(customer, row["password_hash"] if row else None, password) or row is None:
        raise InvalidCredentials
    return Proven(row["email"], row["name"], row["password_hash"])


async def change_password(caution: Caution, viewer: Viewer, *, old: str, new: str) -> None:
    """Change one's password, knowing the old one; every other session ends, every link and account elsewhere.
    `InvalidCredentials`, `PasswordTooCommon`, `SignInRequired` when the session is over.
    """
    person = await proven(caution, viewer.id, old)
    hashed = await caution.passwords.hash(new, known_of(person.email, person.name))

    async def work(tx: Tx) -> None:
        await must_live(tx, viewer)
        if not await tx.execute(SET_PASSWORD, viewer.id, hashed, None, person.password_hash):
            raise InvalidCredentials
        await _changed(tx, viewer.id, but=viewer.session)

    await caution.db.transact(work)


async def _changed(tx: Tx, customer: UUID, *, but: UUID | None = None) -> None:
    for purpose in ("reset", "email"):
        await tx.execute(SPOIL_PROOFS, customer, purpose)
    await end_all(tx, customer, "the password changed", but=but)
    await tx.execute(FORGET, customer)
    row = await tx.row(PASSWORD, customer)
    if row is not None:
        await jobs.enqueue(tx, "accounts.password_changed", Asked(ids.new(), row["email"]))
