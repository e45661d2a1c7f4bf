"""Orders, for staff: parcels, their arrival, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from msgspec import Meta

from tfmshop.commerce import checkout, orders
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, Address, Email
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.orders import Returns, Units, as_pdf
from tfmshop.surface.http.storefront.parameters import Limit
from tfmshop.surface.seller import seller_of


class Parcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes off, all that is left without `lines`, and how it is followed."""

    lines: Annotated[list[Units], Meta(min_length=1, max_length=200)] | None = None
    carrier: Annotated[str, Meta(max_length=100)] = ""
    tracking: Annotated[str, Meta(max_length=200)] = ""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units of a SKU an order shall have."""

    sku: Annotated[str, Meta(min_length=1, max_length=100)]
    quantity: Annotated[int, Meta(ge=0, le=999)]


@post("/orders/{number:str}/shipments", summary="Send a parcel", tags=["admin: orders"], opt=needs("orders"))
async def ship(request: AnyRequest, number: str, data: Parcel) -> orders.Order:
    """Send all that is left of an order, or some of it: then it is `partially_shipped` until the rest goes off.

    Errors: `order_not_found`, `order_cannot_move`, `cannot_ship`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    units: dict[str, int] | None = {} if data.lines else None
    for line in data.lines or []:
        assert units is not None  # noqa: S101 - made above
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    return await shop_of(request).platform.db.transact(
        partial(_ship, number=number, units=units, parcel=data, who=str(signed_in(request)))
    )


async def _ship(tx: Tx, *, number: str, units: dict[str, int] | None, parcel: Parcel, who: str) -> orders.Order:
    id = await orders.id_of(tx, number)
    await orders.fulfil.ship(tx, id, units, carrier=parcel.carrier, tracking=parcel.tracking, who=who)
    return (await orders.load(tx, id))[0]


@post("/orders/{number:str}/pack", summary="Note that it is packed", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def pack(request: AnyRequest, number: str) -> orders.Order:
    """Note that a paid order is packed: its buyer cannot cancel it any more.

    Errors: `order_not_found`, `order_cannot_move`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _moved(request, number, orders.fulfil.pack)


async def _moved(request: AnyRequest, number: str, move: Callable[[Tx, UUID, str], Awaitable[None]]) -> orders.Order:
    who = str(signed_in(request))

    async def work(tx: Tx) -> orders.Order:
        id = await orders.id_of(tx, number)
        await move(tx, id, who)
        return (await orders.load(tx, id))[0]

    return await shop_of(request).platform.db.transact(work)


@post("/orders/{number:str}/deliver", summary="Note the arrival", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def deliver(request: AnyRequest, number: str) -> orders.Order:
    """Note that everything that was sent has arrived.

    Errors: `order_not_found`, `order_cannot_move`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _moved(request, number, orders.fulfil.deliver)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be otherwise. `lines` has how many units there shall be of a SKU, fewer than there are; 0 is none."""

    email: Email | None = None
    address: Address | None = None
    lines: Annotated[list[Wanted], Meta(min_length=1, max_length=200)] | None = None
    why: Annotated[str, Meta(max_length=1000)] = ""


@patch("/orders/{number:str}", summary="Change an order", tags=["admin: orders"], opt=needs("orders"))
async def edit(request: AnyRequest, number: str, data: Change) -> orders.Order:
    """Change an order that was not sent: units that go off it go back to the shelf, and their money to the buyer.

    Errors: `order_not_found`, `cannot_edit`, `cannot_refund`, `refund_too_large`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    units = {line.sku: line.quantity for line in data.lines} if data.lines else None
    if units is not None and len(units) != len(data.lines or ()):
        raise InvalidField("lines", "A SKU is named twice.")
    wanted, who = orders.editing.Edit(data.email, data.address, units), str(signed_in(request))

    async def work(tx: Tx) -> orders.Order:
        id = await orders.id_of(tx, number)
        await checkout.edit(tx, id, wanted, who=who, why=data.why or "changed by staff")
        return (await orders.load(tx, id))[0]

    return await shop_of(request).platform.db.transact(work)


@get("/orders/{number:str}/invoice.pdf", summary="An order's invoice", tags=["admin: orders"], opt=needs("orders"),
     media_type="application/pdf")  # fmt: skip
async def print_invoice(request: AnyRequest, number: str) -> Response[bytes]:
    """The invoice of a paid order as PDF; written when it is first asked for.

    Errors: `order_not_found`, `no_invoice`, `pdf_unavailable`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    platform = shop_of(request).platform

    async def work(tx: Tx) -> orders.invoices.Invoice:
        return await orders.invoices.issue(
            tx, await orders.id_of(tx, number), seller_of(platform.config), by_staff=True
        )

    return await as_pdf(await platform.db.transact(work))


class Received(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a return is received: `restock` puts it on the shelf again; an `amount` other than its worth goes back."""

    restock: bool = True
    amount: Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)] | None = None
    answer: Annotated[str, Meta(max_length=1000)] = ""


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the buyer is told."""

    answer: Annotated[str, Meta(min_length=1, max_length=1000)]


@get("/returns", summary="List waiting returns", tags=["admin: orders"], opt=needs("orders"))
async def list_asked(request: AnyRequest, limit: Limit = 20) -> Returns:
    """Returns that nobody received or refused yet, oldest first.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Returns(await orders.returns.asked(tx, limit))


@post("/returns/{return_id:uuid}/receive", summary="Receive a return", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def receive(request: AnyRequest, return_id: UUID, data: Received) -> orders.returns.Return:
    """Note that goods came back: their money goes back, by default what was paid for them.

    Errors: `return_not_found`, `return_decided`, `cannot_refund`, `refund_too_large`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    who = str(signed_in(request))

    async def work(tx: Tx) -> orders.returns.Return:
        await checkout.take_back(tx, return_id, restock=data.restock, amount=data.amount, who=who, answer=data.answer)
        return await orders.returns.find(tx, return_id)

    return await shop_of(request).platform.db.transact(work)


@post("/returns/{return_id:uuid}/refuse", summary="Refuse a return", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def refuse(request: AnyRequest, return_id: UUID, data: Refusal) -> orders.returns.Return:
    """Say no, with the reason for the buyer.

    Errors: `return_not_found`, `return_decided`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    who = str(signed_in(request))

    async def work(tx: Tx) -> orders.returns.Return:
        await orders.returns.refuse(tx, return_id, who=who, answer=data.answer)
        return await orders.returns.find(tx, return_id)

    return await shop_of(request).platform.db.transact(work)


ROUTES = [pack, ship, deliver, edit, print_invoice, list_asked, receive, refuse]
