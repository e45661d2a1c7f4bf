"""Coupons and automatic offers, for staff."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import Meta

from tfmshop.commerce import promotions
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfMatch, tagged, version_of
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Limit

Few = Annotated[int, Meta(ge=0, le=10_000)]


class NewOffer(msgspec.Struct, forbid_unknown_fields=True):
    """An offer: `value` is hundredths of a percent, or minor units of `currency` for a fixed one."""

    name: promotions.offers.Name
    kind: promotions.Kind
    value: promotions.offers.Amount = 0
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$(?!\n)")] | None = None
    code: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{2,40}$(?!\n)")] | None = None
    buy: Few = 0
    get: Few = 0
    products: promotions.offers.Ids = []
    categories: promotions.offers.Ids = []
    minimum: promotions.offers.Amount = 0
    starts_at: promotions.offers.Moment | None = None
    ends_at: promotions.offers.Moment | None = None
    max_uses: promotions.offers.Uses | None = None
    max_uses_per_customer: promotions.offers.Uses | None = None
    stackable: bool = True
    priority: promotions.offers.Priority = 0


class Offers(msgspec.Struct, frozen=True):
    """Offers that are not over, the newest first."""

    items: list[promotions.Offer]


@get("/promotions", summary="List offers", tags=["admin: promotions"], opt=needs("promotions"))
async def list_offers(request: AnyRequest, limit: Limit = 20) -> Offers:
    """Coupons and automatic offers that are not over, with how often they were used.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Offers(await promotions.running(tx, limit))


@post("/promotions", summary="Add an offer", tags=["admin: promotions"], opt=needs("promotions"))
async def add_offer(request: AnyRequest, data: NewOffer) -> promotions.Offer:
    """A coupon with a `code`, or an automatic offer without one.

    Errors: `offer_invalid`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    given = msgspec.structs.asdict(data) | {"code": data.code.upper() if data.code else None}
    offer = promotions.Offer(id=ids.new(), **given)

    async def work(tx: Tx) -> promotions.Offer:
        await promotions.add(tx, offer)
        await noted(request, tx, "promotions.add", offer.id, after=offer)
        return offer

    return await shop_of(request).platform.db.transact(work)


@get("/promotions/{code_or_id:str}", summary="Show an offer", tags=["admin: promotions"], opt=needs("promotions"))
async def show_offer(request: AnyRequest, code_or_id: str) -> Response[promotions.Offer]:
    """An offer that is not over; its `ETag`, the version, goes into `If-Match`.

    Errors: `offer_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return tagged(await promotions.offers.show(tx, code_or_id))


@patch("/promotions/{code_or_id:str}", summary="Change an offer", tags=["admin: promotions"], opt=needs("promotions"))
async def change_offer(
    request: AnyRequest, code_or_id: str, data: promotions.offers.Changes, if_match: IfMatch = None
) -> promotions.Offer:
    """Change what is named; the rest stays, and so does what orders got. A limit can be moved, not begun or dropped.

    Errors: `offer_not_found`, `offer_invalid`, `stale_offer`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    version = version_of(if_match)

    async def work(tx: Tx) -> promotions.Offer:
        before, after = await promotions.offers.change(tx, code_or_id, data, version)
        if after is not before:
            await noted(request, tx, "promotions.change", after.id, before=before, after=after)
        return after

    return await shop_of(request).platform.db.transact(work)


@delete("/promotions/{code_or_id:str}", summary="End an offer", tags=["admin: promotions"], opt=needs("promotions"))
async def end_offer(request: AnyRequest, code_or_id: str, if_match: IfMatch = None) -> None:
    """From now on nobody gets it; orders that had it keep it.

    Errors: `offer_not_found`, `stale_offer`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    version = version_of(if_match)

    async def work(tx: Tx) -> None:
        offer = await promotions.end(tx, code_or_id, version)
        before, after = {"ends_at": offer.ends_at}, {"ends_at": clock.now()}
        await noted(request, tx, "promotions.end", offer.id, before=before, after=after)

    await shop_of(request).platform.db.transact(work)


ROUTES = [list_offers, show_offer, add_offer, change_offer, end_offer]
