"""What staff do with people: find them, close and open accounts, end sessions, look at the shop as one, give roles."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts import permissions
from tfmshop.commerce.accounts.errors import NoSuchPerson
from tfmshop.commerce.accounts.model import Customer, normal_email
from tfmshop.commerce.accounts.people import id_of
from tfmshop.commerce.accounts.permissions import ADMIN, CUSTOMER, NotAllowed
from tfmshop.commerce.accounts.sessions import end_all
from tfmshop.commerce.accounts.store import SET_GROUP
from tfmshop.commerce.accounts.store_sessions import VERIFIED
from tfmshop.commerce.accounts.store_staff import (
    BROWSE_PEOPLE,
    FIND_PEOPLE,
    HOLD_PERSON,
    LOCK_STAFF,
    OTHER_ADMINS,
    SET_ACTIVE,
    SET_ROLE,
    SHOW_PERSON,
)
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import Viewer


class LastAdmin(
    ShopError, kind=Kind.CONFLICT, code="last_admin", says="The shop needs an admin: this is the last one."
):
    """Nobody could give the role back."""


class AddressUnproven(
    ShopError, kind=Kind.CONFLICT, code="address_unverified",
    says="Nobody proved to read {email}: its owner follows the link in the letter, or asks for a new password, first.",
):  # fmt: skip
    """Whoever registered with somebody's address would be staff in their place."""

    email: str


class Person(msgspec.Struct, frozen=True):
    """A person as staff see them."""

    id: UUID
    email: str
    name: str
    role: str
    group: str | None
    is_active: bool
    verified: bool
    second_factor: bool
    sessions: int
    created_at: datetime

    @property
    def lasting(self) -> Person:
        """The person without what changes whenever they sign in."""
        return msgspec.structs.replace(self, sessions=0)


async def find(
    tx: Tx, *, words: str = "", role: str | None = None, before: tuple[datetime, UUID] | None = None, limit: int = 20
) -> list[Customer]:
    """People whose address or name begins with the words; the newest first, those after `before` where it is given."""
    at, id = before or (None, None)
    if words:
        begins = re.sub(r"([\\%_])", r"\\\1", normal_email(words)) + "%"
        rows = await tx.rows(FIND_PEOPLE, role, at, id, limit, begins)
    else:
        rows = await tx.rows(BROWSE_PEOPLE, role, at, id, limit)
    return [Customer(*row) for row in rows]


async def show(tx: Tx, id: UUID) -> Person:
    """One person. `NoSuchPerson`."""
    row = await tx.row(SHOW_PERSON, id)
    if row is None:
        raise NoSuchPerson
    return Person(*row)


async def set_active(tx: Tx, id: UUID, active: bool) -> bool:
    """Close an account, which ends its sessions, or open it again; whether it was open. `NoSuchPerson`, `LastAdmin`."""
    row = await held(tx, id)
    if not active:
        await may_go(tx, id)
    await tx.execute(SET_ACTIVE, id, active)
    if not active:
        await end_all(tx, id, "staff closed the account")
    return bool(row["is_active"])


async def sign_out(tx: Tx, id: UUID) -> int:
    """End every session of a person; how many. `NoSuchPerson`."""
    await held(tx, id)
    return await end_all(tx, id, "ended by staff")


async def set_role(tx: Tx, viewer: Viewer | None, id: UUID, role: str) -> str:
    """Give a person a role; sessions end, so that it counts at once. The role before. `NoSuchPerson`, `RoleNotFound`,
    `LastAdmin`, `AddressUnproven`, `NotAllowed` for a role, old or new, that may do more than whoever gives it; an
    operator is nobody.
    """
    row = await held(tx, id)
    if role != CUSTOMER and row["verified_at"] is None:
        raise AddressUnproven(email=str(row["email"]))
    if role != ADMIN:
        await may_go(tx, id)
    own = await permissions.of(tx, viewer) if viewer else frozenset(permissions.PERMISSIONS)
    for name in (role, str(row["role"])):
        permissions.within(own, await permissions.named(tx, name))
    await tx.execute(SET_ROLE, id, role)
    if row["role"] != role:
        await end_all(tx, id, "the role changed")
    return str(row["role"])


async def set_group(tx: Tx, email: str, group: str | None) -> tuple[UUID, str | None]:
    """Put a person into a group of customers, or with None into none. Who it is, and the group before.
    `NoSuchPerson`.
    """
    id = await id_of(tx, email)
    return id, await tx.value(SET_GROUP, id, group)


async def appoint(tx: Tx, email: str, role: str, *, verified: bool = False) -> tuple[UUID, str]:
    """For operators: give a person a role by address, for which they may vouch (`verified`). Who it is, and the role
    before.

    `NoSuchPerson`, `RoleNotFound`, `LastAdmin`, `AddressUnproven`.
    """
    id = await id_of(tx, email)
    if verified:
        await tx.execute(VERIFIED, id)
    return id, await set_role(tx, None, id, role)


async def view_as(tx: Tx, viewer: Viewer, id: UUID) -> Viewer:
    """Who looks at the shop as a customer, for as long as an access token lasts, and changes nothing. `NoSuchPerson`,
    `NotAllowed` for the accounts of staff.
    """
    row = await held(tx, id)
    if row["role"] != CUSTOMER or not row["is_active"]:
        raise NotAllowed("to view the shop as staff")
    return Viewer(id, CUSTOMER, viewer.session, watched_by=viewer.id)


async def held(tx: Tx, id: UUID) -> dict[str, object]:
    """Role and state of a person, which stay so until the end of `tx`. `NoSuchPerson`."""
    await tx.execute(LOCK_STAFF)
    row = await tx.row(HOLD_PERSON, id)
    if row is None:
        raise NoSuchPerson
    return dict(row)


async def may_go(tx: Tx, id: UUID) -> None:
    """Refuse that the last admin goes: `LastAdmin`."""
    row = await held(tx, id)
    if row["role"] == ADMIN and not await tx.value(OTHER_ADMINS, id):
        raise LastAdmin
