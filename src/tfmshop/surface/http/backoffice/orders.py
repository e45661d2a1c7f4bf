"""Orders, for staff: parcels and their arrival."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from litestar import post
from msgspec import Meta

from tfmshop.commerce import orders
from tfmshop.commerce.vocabulary import Quantity
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units to be sent."""

    sku: Annotated[str, Meta(min_length=1, max_length=100)]
    quantity: Quantity


class Parcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes off, all that is left without `lines`, and how it is followed."""

    lines: Annotated[list[Units], Meta(min_length=1, max_length=200)] | None = None
    carrier: Annotated[str, Meta(max_length=100)] = ""
    tracking: Annotated[str, Meta(max_length=200)] = ""


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


@post("/orders/{number:str}/deliver", summary="Note the arrival", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def deliver(request: AnyRequest, number: str) -> orders.Order:
    """Note that everything that was sent has arrived.

    Errors: `order_not_found`, `order_cannot_move`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    who = str(signed_in(request))

    async def work(tx: Tx) -> orders.Order:
        id = await orders.id_of(tx, number)
        await orders.fulfil.deliver(tx, id, who=who)
        return (await orders.load(tx, id))[0]

    return await shop_of(request).platform.db.transact(work)


ROUTES = [ship, deliver]
