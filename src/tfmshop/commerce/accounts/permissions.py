"""What a role may do in the back office: roles are data, permissions are what the routes name."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from tfmshop.commerce.accounts.errors import SignInRequired
from tfmshop.commerce.accounts.store_staff import ADD_ROLE, CHANGE_ROLE, DROP_ROLE, HOLD_ROLE, LIST_ROLES, OF_STAFF
from tfmshop.platform.db import Refused, Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import Viewer


class Permission(StrEnum):
    """Everything that a route of the back office can ask for."""

    AUDIT = "audit"
    CATALOG = "catalog"
    CUSTOMERS = "customers"
    OPERATIONS = "operations"
    ORDERS = "orders"
    PROMOTIONS = "promotions"
    REVIEWS = "reviews"
    SEARCH = "search"
    SECURITY = "security"
    STAFF = "staff"
    STOCK = "stock"
    WEBHOOKS = "webhooks"


PERMISSIONS: Final = {
    "audit": "read what staff did",
    "catalog": "change products, variants and pictures",
    "customers": "find customers, close accounts, view the shop as one",
    "operations": "see how the shop does: health, metrics, alerts",
    "orders": "see and move orders, returns and refunds",
    "promotions": "change coupons and offers",
    "reviews": "decide on reviews",
    "search": "change synonyms, see what was searched for in vain",
    "security": "see and lift blocks",
    "staff": "give and take roles, and say what they may do",
    "stock": "see and change stock",
    "webhooks": "say whom the shop tells its news",
}
"""What each allows, in words."""
ADMIN: Final = "admin"
CUSTOMER: Final = "customer"


class NotAllowed(ShopError, kind=Kind.FORBIDDEN, code="not_allowed", says="This needs the permission {permission}."):
    """The person is signed in, and is not staff with that permission."""

    permission: str


class SecondFactorNeeded(
    ShopError, kind=Kind.FORBIDDEN, code="second_factor_needed", says="Staff must sign in with a second factor."
):
    """In production the back office is for those who signed in with one."""


class RoleNotFound(ShopError, kind=Kind.NOT_FOUND, code="role_not_found", says="There is no such role."):
    """No role has that name."""


class RoleTaken(ShopError, kind=Kind.CONFLICT, code="role_taken", says="There is a role of that name."):
    """A new role needs a name of its own."""


class RoleFixed(ShopError, kind=Kind.CONFLICT, code="role_fixed", says="The role cannot be changed: {why}."):
    """It comes with the shop, or somebody has it."""

    why: str


class RoleChanged(
    ShopError, kind=Kind.STALE, code="stale_role", says="The role was changed meanwhile: it is at {version}."
):
    """Somebody else changed it since it was read."""

    version: int


class Role(msgspec.Struct, frozen=True):
    """A role and what it may do; `version` counts its changes."""

    name: str
    permissions: list[str]
    meaning: str
    built_in: bool
    version: int


async def check(tx: Tx, viewer: Viewer, permission: str, *, strong: bool) -> None:
    """Let staff in whose role has the permission at this moment, in a session that lives at this moment.

    `SignInRequired`, `NotAllowed`; `SecondFactorNeeded` where a `strong` session is asked for.
    """
    row = await tx.row(OF_STAFF, viewer.session, viewer.id) if viewer.watched_by is None else None
    if row is None:
        raise SignInRequired
    if permission not in row["permissions"]:
        raise NotAllowed(permission)
    if strong and not row["strong"]:
        raise SecondFactorNeeded


async def of(tx: Tx, viewer: Viewer) -> frozenset[str]:
    """What the viewer may do at this moment."""
    row = await tx.row(OF_STAFF, viewer.session, viewer.id)
    return frozenset(row["permissions"]) if row else frozenset()


async def named(tx: Tx, role: str) -> list[str]:
    """What a role may do; it stays so until the end of `tx`. `RoleNotFound`."""
    return (await _held(tx, role)).permissions


def within(own: frozenset[str], asked: Iterable[str]) -> None:
    """Refuse that somebody gives or takes what they may not do themselves: `NotAllowed`."""
    for permission in sorted(set(asked) - own):
        raise NotAllowed(permission)


async def roles(tx: Tx) -> list[Role]:
    """Every role, by name."""
    return [Role(*row) for row in await tx.rows(LIST_ROLES)]


async def add(tx: Tx, viewer: Viewer, name: str, permissions: Iterable[Permission], meaning: str) -> Role:
    """A new role. `RoleTaken`, `NotAllowed` for what the viewer may not do."""
    within(await of(tx, viewer), _names(permissions))
    row = await tx.row(ADD_ROLE, name, _names(permissions), meaning)
    if row is None:
        raise RoleTaken
    return Role(*row)


async def change(
    tx: Tx, viewer: Viewer, name: str, permissions: Iterable[Permission], meaning: str, version: int | None
) -> tuple[Role, Role]:
    """What a role was, and is from now on. `RoleNotFound`, `RoleFixed` for admins and customers, `RoleChanged` when it
    is not at that version, `NotAllowed` for what the viewer may not do.
    """
    before = await _held(tx, name)
    within(await of(tx, viewer), [*before.permissions, *_names(permissions)])
    if name in (ADMIN, "customer"):
        raise RoleFixed("the shop counts on it")
    if version is not None and version != before.version:
        raise RoleChanged(before.version)
    row = await tx.row(CHANGE_ROLE, name, _names(permissions), meaning)
    if row is None:
        raise RoleNotFound
    return before, Role(*row)


async def drop(tx: Tx, viewer: Viewer, name: str) -> Role:
    """Take a role out that nobody has. `RoleNotFound`, `RoleFixed`, `NotAllowed` for what the viewer may not do."""
    role = await _held(tx, name)
    within(await of(tx, viewer), role.permissions)
    if role.built_in:
        raise RoleFixed("it comes with the shop")
    try:
        async with tx.savepoint():
            await tx.execute(DROP_ROLE, name)
    except Refused:
        raise RoleFixed("somebody has it") from None
    return role


async def _held(tx: Tx, name: str) -> Role:
    row = await tx.row(HOLD_ROLE, name)
    if row is None:
        raise RoleNotFound
    return Role(*row)


def _names(permissions: Iterable[Permission]) -> list[str]:
    return sorted({permission.value for permission in permissions})
