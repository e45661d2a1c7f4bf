"""Orders, for staff: list, find, show, and notes about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import orders
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import marked
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Cursor, Limit

Moment: TypeAlias = Annotated[
    datetime | None, Parameter(description="With an offset: `2026-05-04T00:00:00Z`; or seconds since 1970.")
]


class NewNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What staff should know about an order."""

    text: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


@get("/orders", summary="List and find orders", tags=["admin: orders"], opt=needs("orders"))
async def list_orders(
    request: AnyRequest,
    status: orders.OrderStatus | None = None,
    q: Annotated[
        str, Parameter(max_length=254, description="A number, an e-mail address or the id of an account, whole.")
    ] = "",
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> orders.staff.Heads:
    """Everybody's orders, the newest first: those placed from `since` on and before `until`, and what `q` finds.

    Errors: `bad_cursor`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidField(name, "Say which offset the moment has, such as `Z`.")
    wanted = orders.staff.Wanted(status, q, since, until)
    return await shop_of(request).platform.db.look_up(
        lambda tx: orders.staff.listing(tx, wanted, limit=limit, cursor=cursor)
    )


@get("/orders/{number:str}", summary="Show an order", tags=["admin: orders"], opt=needs("orders"))
async def show(request: AnyRequest, number: str) -> Response[orders.Order]:
    """Any order, by its number.

    Errors: `order_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return marked((await orders.load(tx, await orders.browse.id_of(tx, number)))[0])


@get("/orders/{number:str}/notes", summary="Read the notes about an order", tags=["admin: orders"],
     opt=needs("orders"))  # fmt: skip
async def list_notes(request: AnyRequest, number: str, limit: Limit = 20, cursor: Cursor = None) -> orders.staff.Notes:
    """What staff wrote down about an order, the newest first.

    Errors: `order_not_found`, `bad_cursor`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        order = await orders.browse.id_of(tx, number)
        return await orders.staff.notes(tx, order, limit=limit, cursor=cursor)


@post("/orders/{number:str}/notes", summary="Write a note about an order", tags=["admin: orders"],
      opt=needs("orders"))  # fmt: skip
async def add_note(request: AnyRequest, number: str, data: NewNote) -> orders.staff.Note:
    """Write something down for the rest of the staff. Its buyer does not see it; forgetting the buyer removes it.

    Errors: `order_not_found`, `cannot_edit`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> orders.staff.Note:
        order = await orders.browse.id_of(tx, number)
        written = await orders.staff.note(tx, order, str(signed_in(request)), data.text)
        await noted(request, tx, "orders.note", number, after={"note": written.id})
        return written

    return await shop_of(request).platform.db.transact(work)


ROUTES = [list_orders, show, list_notes, add_note]
