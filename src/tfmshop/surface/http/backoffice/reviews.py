"""Reviews, for staff."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import get, post

from tfmshop.commerce import reviews
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.storefront.parameters import Limit


class Waiting(msgspec.Struct, frozen=True):
    """Reviews that nobody looked at yet."""

    items: list[reviews.Review]


@get("/reviews", summary="List waiting reviews", tags=["admin: reviews"], opt=needs("reviews"))
async def list_waiting(request: AnyRequest, limit: Limit = 20) -> Waiting:
    """Reviews that wait for staff, oldest first.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Waiting(await reviews.waiting(tx, limit))


@post("/reviews/{review_id:uuid}/publish", summary="Publish a review", tags=["admin: reviews"],
      opt=needs("reviews"), status_code=200)  # fmt: skip
async def publish(request: AnyRequest, review_id: UUID) -> reviews.Review:
    """Show a review; the product's rating follows within a second.

    Errors: `review_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _moderate(request, review_id, publish=True)


@post("/reviews/{review_id:uuid}/refuse", summary="Refuse a review", tags=["admin: reviews"],
      opt=needs("reviews"), status_code=200)  # fmt: skip
async def refuse(request: AnyRequest, review_id: UUID) -> reviews.Review:
    """Keep a review from being shown, also one that was published.

    Errors: `review_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await _moderate(request, review_id, publish=False)


async def _moderate(request: AnyRequest, review: UUID, *, publish: bool) -> reviews.Review:
    by = str(signed_in(request))
    async with shop_of(request).platform.db.tx() as tx:
        moderated = await reviews.moderate(tx, review, publish=publish, by=by)
        await noted(request, tx, "reviews.publish" if publish else "reviews.refuse", review)
    return moderated


ROUTES = [list_waiting, publish, refuse]
