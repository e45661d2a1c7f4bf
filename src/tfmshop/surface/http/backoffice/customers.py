"""Customers, for staff: find one, close or open the account, end sessions, see the shop as they do."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import accounts, orders
from tfmshop.platform import cursors
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.security.access import LIFETIME, Viewer
from tfmshop.surface.http.backoffice.bulk import each
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfSame, expect, marked
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in, someone
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Limit


class Customers(msgspec.Struct, frozen=True):
    """A page of people, the newest first."""

    items: list[accounts.Customer]
    next_cursor: str | None


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What staff change of a person."""

    is_active: bool
    why: Annotated[str, Meta(min_length=1, max_length=500)]


class ChangeMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What staff change of up to 100 people."""

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    is_active: bool
    why: Annotated[str, Meta(min_length=1, max_length=500)]


class OneChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether an account is open now, or the code of why it stayed as it was, and in words."""

    id: UUID
    is_active: bool | None = None
    code: str | None = None
    detail: str | None = None


class Changed(msgspec.Struct, frozen=True):
    """What became of each, in the order of the ids."""

    items: list[OneChanged]


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Why staff look; it goes into the audit log."""

    why: Annotated[str, Meta(min_length=1, max_length=500)]


class View(msgspec.Struct, frozen=True):
    """A token that sees what the customer sees, and changes nothing."""

    access_token: str
    token_type: str
    expires_in: int


class Ended(msgspec.Struct, frozen=True):
    """How many sessions ended."""

    sessions: int


@get("/customers", summary="Find people", tags=["admin: customers"], opt=needs("customers"))
async def list_customers(
    request: AnyRequest,
    limit: Limit = 20,
    q: Annotated[str, Parameter(max_length=254, description="How the e-mail address or the name begins.")] = "",
    role: Annotated[str | None, Parameter(max_length=40, description="Only people of this role.")] = None,
    cursor: Annotated[str | None, Parameter(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> Customers:
    """People, the newest first.

    Errors: `bad_cursor`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    before = cursors.moment_and_id(cursor) if cursor else None
    async with shop_of(request).platform.db.read() as tx:
        found = await accounts.staff.find(tx, words=q, role=role, before=before, limit=limit + 1)
    more = len(found) > limit
    items = found[:limit]
    return Customers(items, cursors.seal(items[-1].created_at.isoformat(), items[-1].id) if more else None)


@get("/customers/{customer_id:uuid}", summary="Show a person", tags=["admin: customers"], opt=needs("customers"))
async def show_customer(request: AnyRequest, customer_id: UUID) -> Response[accounts.staff.Person]:
    """Account, role, group, whether they sign in with a second factor, and where from.

    Errors: `account_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        person = await accounts.staff.show(tx, customer_id)
    return marked(person, of=person.lasting)


@get("/customers/{customer_id:uuid}/statistics", summary="What a person bought", tags=["admin: customers"],
     opt=needs("customers"))  # fmt: skip
async def show_statistics(request: AnyRequest, customer_id: UUID) -> orders.browse.Statistics:
    """How many orders, and what was paid for them, by currency; cancelled ones are left out, refunds taken off.

    Errors: `account_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        await accounts.staff.show(tx, customer_id)
        return await orders.browse.statistics(tx, customer_id)


@patch("/customers/{customer_id:uuid}", summary="Close or open an account", tags=["admin: customers"],
       opt=needs("customers"))  # fmt: skip
async def change_customer(
    request: AnyRequest, customer_id: UUID, data: Change, if_match: IfSame = None
) -> Response[accounts.staff.Person]:
    """A closed account signs in no more, and its sessions end. Accounts of staff need the permission `staff`, too.

    Errors: `account_not_found`, `changed_meanwhile`, `last_admin`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    person = await _changed(request, customer_id, data, if_match)
    return marked(person, of=person.lasting)


@post("/customers/bulk", summary="Close or open many accounts", tags=["admin: customers"], opt=needs("customers"),
      status_code=200)  # fmt: skip
async def change_many(request: AnyRequest, data: ChangeMany) -> Changed:
    """Close or open up to 100 accounts. Each has its own answer and stops no other: whether it is open, or
    `account_not_found`, `last_admin` or `not_allowed`. When the shop fails meanwhile, the rest have the code of that.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    if signed_in(request) in data.ids:
        raise InvalidField("ids", "One's own account is not closed among many.")

    async def change(customer: UUID) -> OneChanged:
        person = await _changed(request, customer, Change(data.is_active, data.why), None)
        return OneChanged(customer, person.is_active)

    def refused(customer: UUID, error: ShopError) -> OneChanged:
        return OneChanged(customer, code=error.code, detail=str(error))

    return Changed(await each(data.ids, change, refused))


async def _changed(request: AnyRequest, id: UUID, data: Change, if_match: str | None) -> accounts.staff.Person:
    viewer = someone(request)

    async def work(tx: Tx) -> accounts.staff.Person:
        await _may_touch(tx, viewer, id)
        expect(if_match, (await accounts.staff.show(tx, id)).lasting)
        was = await accounts.staff.set_active(tx, id, data.is_active)
        person = await accounts.staff.show(tx, id)
        after = {"is_active": data.is_active, "why": data.why}
        await noted(request, tx, "customers.change", id, before={"is_active": was}, after=after)
        return person

    return await shop_of(request).platform.db.transact(work)


@delete("/customers/{customer_id:uuid}/sessions", summary="Sign a person out", tags=["admin: customers"],
        opt=needs("customers"), status_code=200)  # fmt: skip
async def sign_out_customer(request: AnyRequest, customer_id: UUID) -> Ended:
    """End every session of a person, as after a stolen phone. Accounts of staff need the permission `staff`, too.

    Errors: `account_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> Ended:
        await _may_touch(tx, viewer, customer_id)
        ended = Ended(await accounts.staff.sign_out(tx, customer_id))
        await noted(request, tx, "customers.sign_out", customer_id, after=ended)
        return ended

    return await shop_of(request).platform.db.transact(work)


@post("/customers/{customer_id:uuid}/view", summary="See the shop as a customer", tags=["admin: customers"],
      opt=needs("customers"), status_code=200)  # fmt: skip
async def view_as(request: AnyRequest, customer_id: UUID, data: Reason) -> View:
    """A token for 15 minutes that reads what the customer reads; every change with it is refused (`only_looking`).

    Errors: `account_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    viewer = someone(request)
    platform = shop_of(request).platform

    async def work(tx: Tx) -> View:
        as_customer = await accounts.staff.view_as(tx, viewer, customer_id)
        await noted(request, tx, "customers.view", customer_id, after={"why": data.why})
        return View(platform.tokens.issue(as_customer), "Bearer", int(LIFETIME.total_seconds()))

    return await platform.db.transact(work)


async def _may_touch(tx: Tx, viewer: Viewer, customer: UUID) -> None:
    role = str((await accounts.staff.held(tx, customer))["role"])
    if role != "customer":
        await accounts.permissions.check(tx, viewer, "staff", strong=False)
        own = await accounts.permissions.of(tx, viewer)
        accounts.permissions.within(own, await accounts.permissions.named(tx, role))


ROUTES = [
    list_customers,
    show_customer,
    show_statistics,
    change_customer,
    change_many,
    sign_out_customer,
    view_as,
]
