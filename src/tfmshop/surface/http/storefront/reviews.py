"""Reviews of a product: read them, write one."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import get, post

from tfmshop.commerce import accounts, catalog, reviews
from tfmshop.platform.db import Tx
from tfmshop.surface.http.answers import Public, public
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.storefront.parameters import Cursor, Limit


class Written(msgspec.Struct, frozen=True):
    """A review that waits for staff."""

    id: UUID
    status: str


@get(
    "/products/{id_or_slug:str}/reviews",
    summary="List reviews",
    tags=["products"],
    **public(reviews.Page, "Published reviews.", reviews.cached.REVIEWS),
)
async def list_reviews(request: AnyRequest, id_or_slug: str, limit: Limit = 20, cursor: Cursor = None) -> Public:
    """What buyers say of a product, newest first.

    Errors: `product_not_found`, `bad_cursor`.
    """

    async def look(tx: Tx) -> tuple[UUID, reviews.Page]:
        product = await catalog.keep.on_sale(tx, id_or_slug)
        return product, await reviews.published(tx, product, cursor, limit)

    product, page = await shop_of(request).platform.db.look_up(look, may_be_old=True)
    return Public(page, reviews.cached.page_of(product))


@post("/products/{id_or_slug:str}/reviews", summary="Write a review", tags=["products"])
async def write_review(request: AnyRequest, id_or_slug: str, data: reviews.NewReview) -> Written:
    """Review a product that you bought, once. It is shown after staff looked at it.

    Errors: `product_not_found`, `not_bought`, `already_reviewed`, `invalid_request`, `sign_in_required`,
    `invalid_token`.
    """
    customer = signed_in(request)
    async with shop_of(request).platform.db.tx() as tx:
        product = await catalog.keep.on_sale(tx, id_or_slug)
        author = reviews.public_name((await accounts.me(tx, customer)).name)
        return Written(await reviews.write(tx, product, customer, author, data), "pending")


ROUTES = [list_reviews, write_review]
