"""Roles and who has them, for those who may give and take them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfMatch, IfSame, expect, marked, version_of
from tfmshop.surface.http.context import AnyRequest, shop_of, someone

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{1,39}$")]
Permissions = Annotated[list[accounts.permissions.Permission], Meta(max_length=50)]
Meaning = Annotated[str, Meta(min_length=1, max_length=200)]


class Roles(msgspec.Struct, frozen=True):
    """Every role, and everything that one can be allowed."""

    items: list[accounts.permissions.Role]
    permissions: dict[str, str]


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """A role that the shop did not have."""

    name: Name
    permissions: Permissions
    meaning: Meaning


class RoleChange(msgspec.Struct, forbid_unknown_fields=True):
    """What a role may do from now on."""

    permissions: Permissions
    meaning: Meaning


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """The role that a person gets."""

    role: Name


@get("/roles", summary="List roles", tags=["admin: staff"], opt=needs("staff"))
async def list_roles(request: AnyRequest) -> Roles:
    """Every role with what it may do.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Roles(await accounts.permissions.roles(tx), accounts.permissions.PERMISSIONS)


@post("/roles", summary="Add a role", tags=["admin: staff"], opt=needs("staff"))
async def add_role(request: AnyRequest, data: NewRole) -> accounts.permissions.Role:
    """A role of the shop's own.

    Errors: `role_taken`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> accounts.permissions.Role:
        role = await accounts.permissions.add(tx, viewer, data.name, data.permissions, data.meaning)
        await noted(request, tx, "roles.add", data.name, after=role)
        return role

    return await shop_of(request).platform.db.transact(work)


@put("/roles/{name:str}", summary="Change a role", tags=["admin: staff"], opt=needs("staff"))
async def change_role(
    request: AnyRequest, name: str, data: RoleChange, if_match: IfMatch = None
) -> accounts.permissions.Role:
    """It counts with the next request of whoever has it. Admins and customers stay what they are.

    Errors: `role_not_found`, `role_fixed`, `stale_role`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    viewer, version = someone(request), version_of(if_match)

    async def work(tx: Tx) -> accounts.permissions.Role:
        before, role = await accounts.permissions.change(tx, viewer, name, data.permissions, data.meaning, version)
        await noted(request, tx, "roles.change", name, before=before, after=role)
        return role

    return await shop_of(request).platform.db.transact(work)


@delete("/roles/{name:str}", summary="Take out a role", tags=["admin: staff"], opt=needs("staff"))
async def drop_role(request: AnyRequest, name: str) -> None:
    """One that nobody has, and that did not come with the shop.

    Errors: `role_not_found`, `role_fixed`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> None:
        await noted(request, tx, "roles.drop", name, before=await accounts.permissions.drop(tx, viewer, name))

    await shop_of(request).platform.db.transact(work)


@put("/customers/{customer_id:uuid}/role", summary="Give a role", tags=["admin: staff"], opt=needs("staff"))
async def give_role(
    request: AnyRequest, customer_id: UUID, data: Given, if_match: IfSame = None
) -> Response[accounts.staff.Person]:
    """Make somebody staff, or a customer again; their sessions end. The last admin stays one.

    Errors: `account_not_found`, `changed_meanwhile`, `role_not_found`, `last_admin`, `address_unverified`,
    `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> accounts.staff.Person:
        await accounts.staff.held(tx, customer_id)
        expect(if_match, (await accounts.staff.show(tx, customer_id)).lasting)
        before = await accounts.staff.set_role(tx, viewer, customer_id, data.role)
        await noted(request, tx, "staff.role", customer_id, before={"role": before}, after={"role": data.role})
        return await accounts.staff.show(tx, customer_id)

    person = await shop_of(request).platform.db.transact(work)
    return marked(person, of=person.lasting)


ROUTES = [list_roles, add_role, change_role, drop_role, give_role]
