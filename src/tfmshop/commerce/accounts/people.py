"""Registering, signing in, and finding people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.accounts.caution import Caller, Caution
from tfmshop.commerce.accounts.errors import InvalidCredentials, NoSuchPerson, SignInRequired
from tfmshop.commerce.accounts.model import Customer, known_of, normal_email
from tfmshop.commerce.accounts.proofs import Asked
from tfmshop.commerce.accounts.store import (
    ANALYZE,
    COPY_ADDRESSES,
    COPY_CUSTOMERS,
    FIND,
    FIND_BY_EMAIL,
    LIST,
    LIST_BY_ROLE,
    LIST_INACTIVE,
    REGISTER,
)
from tfmshop.commerce.accounts.store_factor import ID_OF
from tfmshop.commerce.accounts.store_sessions import SET_PASSWORD
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import clock, codec, ids, jobs
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.passwords import Passwords


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person of the sample shop, with a password that is hashed already."""

    id: UUID
    email: str
    name: str
    password_hash: str
    created_at: datetime
    address: Address
    address_id: UUID
    role: str = "customer"
    is_active: bool = True


async def register(db: Database, passwords: Passwords, *, email: str, name: str, password: str) -> None:
    """Add an account. An address that has one already changes nothing and looks the same to the caller.
    `PasswordTooCommon`.

    Whoever reads the address gets a letter: a link that verifies it, or that somebody tried to register with it.
    """
    password_hash = await passwords.hash(password, known_of(email, name))
    async with db.tx() as tx:
        new = await tx.execute(REGISTER, ids.new(), normal_email(email), name, password_hash, clock.now())
        await jobs.enqueue(tx, "accounts.registered", Asked(ids.new(), normal_email(email), new == 1))


async def sign_in(caution: Caution, caller: Caller, *, email: str, password: str) -> tuple[Viewer, str]:
    """Who has that e-mail and password, and the hash that is kept of it. `InvalidCredentials`, after the same time for
    everyone, `TooManyTries`.
    """
    begun, email = clock.monotonic(), normal_email(email)
    async with caution.db.read() as tx:
        row = await tx.row(FIND_BY_EMAIL, email, caller.address)
    await caution.let_in(row, email, password, caller, begun)
    if row is None:
        raise InvalidCredentials
    stored = row["password_hash"]
    if better := await caution.passwords.again(stored, password):
        async with caution.db.tx() as tx:
            if await tx.execute(SET_PASSWORD, row["id"], better, None, stored):
                stored = better
    return Viewer(row["id"], row["role"]), stored


async def me(tx: Tx, id: UUID) -> Customer:
    """The signed-in person. `SignInRequired` when the account was closed meanwhile."""
    row = await tx.row(FIND, id)
    if row is None:
        raise SignInRequired
    return Customer(*row)


async def id_of(tx: Tx, email: str) -> UUID:
    """Who has an address. `NoSuchPerson`."""
    found = await tx.value(ID_OF, normal_email(email))
    if found is None:
        raise NoSuchPerson
    return UUID(int=found.int)


async def listing(tx: Tx, *, role: str | None = None, inactive: bool = False, limit: int = 50) -> list[Customer]:
    """The newest accounts, for staff."""
    if inactive:
        rows = await tx.rows(LIST_INACTIVE, limit)
    elif role is not None:
        rows = await tx.rows(LIST_BY_ROLE, limit, role)
    else:
        rows = await tx.rows(LIST, limit)
    return [Customer(*row) for row in rows]


async def add_people(tx: Tx, people: Sequence[NewPerson]) -> None:
    """Add many accounts with an address each, by COPY."""
    await tx.copy(
        COPY_CUSTOMERS,
        [(p.id, normal_email(p.email), p.name, p.password_hash, p.role, p.is_active, p.created_at) for p in people],
    )
    await tx.copy(
        COPY_ADDRESSES,
        [(p.address_id, p.id, codec.encode_text(p.address), True, p.created_at) for p in people],
    )
    await tx.execute(ANALYZE)
