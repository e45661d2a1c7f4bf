"""Orders, for staff: change, pack, send, cancel, refund."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from msgspec import Meta

from tfmshop.commerce import checkout, orders
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, Address, Email
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import ShopError
from tfmshop.surface.http.backoffice.bulk import each
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfSame, expect, marked
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.once import once
from tfmshop.surface.http.storefront.orders import Units, as_pdf
from tfmshop.surface.http.storefront.parameters import OnceKey
from tfmshop.surface.seller import seller_of

Move: TypeAlias = Callable[[Tx, UUID, str], Awaitable[None]]
"""Changes an order, by its id, for somebody of the staff."""


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
async def ship(
    request: AnyRequest, number: str, data: Parcel, idempotency_key: OnceKey = None
) -> Response[orders.Order]:
    """Send all that is left of an order, or some of it: then it is `partially_shipped` until the rest goes off.

    Errors: `idempotency_key_reused`, `request_in_progress`, `order_not_found`, `order_cannot_move`, `cannot_ship`,
    `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    units: dict[str, int] | None = {} if data.lines else None
    for line in data.lines or []:
        assert units is not None  # noqa: S101 - made above
        units[line.sku] = units.get(line.sku, 0) + line.quantity

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await orders.fulfil.ship(tx, id, units, carrier=data.carrier, tracking=data.tracking, who=who)

    return await _changed_once(request, idempotency_key, number, "orders.ship", change)


@post("/orders/{number:str}/pack", summary="Note that it is packed", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def pack(request: AnyRequest, number: str) -> orders.Order:
    """Note that a paid order is packed: its buyer cannot cancel it any more.

    Errors: `order_not_found`, `order_cannot_move`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _changed(request, number, "orders.pack", orders.fulfil.pack)


@post("/orders/{number:str}/deliver", summary="Note the arrival", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def deliver(request: AnyRequest, number: str) -> orders.Order:
    """Note that everything that was sent has arrived.

    Errors: `order_not_found`, `order_cannot_move`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _changed(request, number, "orders.deliver", orders.fulfil.deliver)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be otherwise. `lines` has how many units there shall be of a SKU, fewer than there are; 0 is none."""

    email: Email | None = None
    address: Address | None = None
    lines: Annotated[list[Wanted], Meta(min_length=1, max_length=200)] | None = None
    why: Annotated[str, Meta(max_length=1000)] = ""


@patch("/orders/{number:str}", summary="Change an order", tags=["admin: orders"], opt=needs("orders"))
async def edit(request: AnyRequest, number: str, data: Change, if_match: IfSame = None) -> Response[orders.Order]:
    """Change an order that was not sent: units that go off it go back to the shelf, and their money to the buyer.

    Errors: `order_not_found`, `changed_meanwhile`, `cannot_edit`, `cannot_refund`, `refund_too_large`,
    `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    units = orders.editing.units([(line.sku, line.quantity) for line in data.lines]) if data.lines else None
    wanted = orders.editing.Edit(data.email, data.address, units)

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await checkout.edit(tx, id, wanted, who=who, why=data.why or "changed by staff")

    return marked(await _changed(request, number, "orders.edit", change, if_match))


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the order's history."""

    why: Annotated[str, Meta(min_length=1, max_length=1000)]


class Refund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much goes back, in minor units; all that is left without it."""

    why: Annotated[str, Meta(min_length=1, max_length=1000)]
    amount: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT)] | None = None


class Rest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why no more is sent; `amount`, in minor units, goes back instead of what the rest cost: some went back before."""

    why: Annotated[str, Meta(min_length=1, max_length=1000)]
    amount: Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)] | None = None


@post("/orders/{number:str}/cancel", summary="Cancel an order", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def cancel(request: AnyRequest, number: str, data: Reason) -> orders.Order:
    """Cancel an order that was not sent: stock, coupons and money go back.

    Errors: `order_not_found`, `order_cannot_move`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await checkout.cancel(tx, id, who=who, why=data.why)

    return await _changed(request, number, "orders.cancel", change)


@post("/orders/{number:str}/cancel-rest", summary="Send no more of it", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def cancel_rest(request: AnyRequest, number: str, data: Rest) -> orders.Order:
    """Leave a partly shipped order at what was sent: the rest goes back to the shelf, and its money to the buyer.

    Errors: `order_not_found`, `order_cannot_move`, `cannot_refund`, `refund_too_large`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await checkout.cancel_rest(tx, id, who=who, why=data.why, amount=data.amount)

    return await _changed(request, number, "orders.cancel_rest", change)


@post("/orders/{number:str}/refunds", summary="Give money back", tags=["admin: orders"], opt=needs("orders"))
async def refund(
    request: AnyRequest, number: str, data: Refund, idempotency_key: OnceKey = None
) -> Response[orders.Order]:
    """Give money of an order back; the job runner tells the payment company.

    Errors: `idempotency_key_reused`, `request_in_progress`, `order_not_found`, `cannot_refund`, `refund_too_large`,
    `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await checkout.ask_refund(tx, id, data.amount, who=who, why=data.why)

    return await _changed_once(request, idempotency_key, number, "orders.refund", change)


class Again(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the money was given otherwise, as a bank transfer; without it the payment company is asked again."""

    given: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")] | None = None


@post("/orders/{number:str}/refunds/{refund_id:uuid}", summary="Give money back again", tags=["admin: orders"],
      opt=needs("orders"), status_code=200)  # fmt: skip
async def refund_again(request: AnyRequest, number: str, refund_id: UUID, data: Again) -> orders.Order:
    """Give back again what the company refused or the buyer's bank sent back, or note how it was given otherwise.

    Errors: `order_not_found`, `refund_not_found`, `refund_not_failed`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """

    async def change(tx: Tx, id: UUID, who: str) -> None:
        await checkout.refund_again(tx, id, refund_id, who=who, given=data.given)

    return await _changed(request, number, "orders.refund_again", change)


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next step of up to 100 orders, each on its own; `ship` sends all that is left in one parcel."""

    step: Literal["pack", "ship", "deliver"]
    numbers: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(min_length=1, max_length=100)]


class Stepped(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one order: its status now, or the code of why it stayed as it was, and in words."""

    number: str
    status: orders.OrderStatus | None = None
    code: str | None = None
    detail: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of each, in the order of the numbers."""

    items: list[Stepped]


@post("/orders/bulk", summary="Move many orders", tags=["admin: orders"], opt=needs("orders"), status_code=200)
async def move_many(request: AnyRequest, data: Steps) -> Outcome:
    """Pack, send or note the arrival of up to 100 orders. Each has its own answer and stops no other: its status, or
    `order_not_found` or `order_cannot_move`. When the shop fails meanwhile, the rest have the code of that.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def step(number: str) -> Stepped:
        order = await _changed(request, number, f"orders.{data.step}", STEPS[data.step])
        return Stepped(number, status=orders.OrderStatus(order.status))

    def refused(number: str, error: ShopError) -> Stepped:
        return Stepped(number, code=error.code, detail=str(error))

    return Outcome(await each(data.numbers, step, refused))


async def _ship_all(tx: Tx, id: UUID, who: str) -> None:
    await orders.fulfil.ship(tx, id, None, carrier="", tracking="", who=who)


STEPS: Final = {"pack": orders.fulfil.pack, "ship": _ship_all, "deliver": orders.fulfil.deliver}
"""What is done for each step."""


async def _changed(
    request: AnyRequest, number: str, action: str, change: Move, if_match: str | None = None
) -> orders.Order:
    """Change an order as the signed-in person, and note it."""
    return await shop_of(request).platform.db.transact(_noted(request, number, action, change, if_match))


async def _changed_once(
    request: AnyRequest, key: str | None, number: str, action: str, change: Move
) -> Response[orders.Order]:
    return await once(request, key, f"staff {signed_in(request)}", _noted(request, number, action, change))


def _noted(
    request: AnyRequest, number: str, action: str, change: Move, if_match: str | None = None
) -> Callable[[Tx], Awaitable[orders.Order]]:
    who = str(signed_in(request))

    async def work(tx: Tx) -> orders.Order:
        id = await orders.browse.id_of(tx, number)
        await orders.paying.look(tx, id, hold=True)
        before, _ = await orders.load(tx, id)
        expect(if_match, before)
        await change(tx, id, who)
        after, _ = await orders.load(tx, id)
        await noted(request, tx, action, number, before=before, after=after)
        return after

    return work


@get("/orders/{number:str}/invoice.pdf", summary="An order's invoice", tags=["admin: orders"], opt=needs("orders"),
     media_type="application/pdf")  # fmt: skip
async def print_invoice(request: AnyRequest, number: str) -> Response[bytes]:
    """The invoice of a paid order as PDF; written when it is first asked for.

    Errors: `order_not_found`, `no_invoice`, `pdf_unavailable`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    platform = shop_of(request).platform

    async def work(tx: Tx) -> orders.invoices.Invoice:
        id = await orders.browse.id_of(tx, number)
        invoice = await orders.invoices.issue(tx, id, seller_of(platform.config), by_staff=True)
        await noted(request, tx, "orders.invoice", number, after={"invoice": invoice.number})
        return invoice

    return await as_pdf(await platform.db.transact(work))


ROUTES = [
    move_many,
    pack,
    ship,
    deliver,
    edit,
    cancel,
    cancel_rest,
    refund,
    refund_again,
    print_invoice,
]
