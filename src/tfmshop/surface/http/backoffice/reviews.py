"""Reviews, for staff."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import Meta

from tfmshop.commerce import reviews
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.storefront.parameters import Limit


class Waiting(msgspec.Struct, frozen=True):
    """Reviews that nobody looked at yet."""

    items: list[reviews.Review]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of one review."""

    id: UUID
    publish: bool


class Decisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of up to 100 reviews: all of it happens, or none. Of two about one review, the last holds."""

    items: Annotated[list[Decision], Meta(min_length=1, max_length=100)]


class Decided(msgspec.Struct, frozen=True):
    """The reviews as they are now, by id."""

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


@post("/reviews/bulk", summary="Decide about many reviews", tags=["admin: reviews"], opt=needs("reviews"),
      status_code=200)  # fmt: skip
async def decide(request: AnyRequest, data: Decisions) -> Decided:
    """Publish or refuse up to 100 reviews in one go: if one is not there, nothing happens.

    Errors: `review_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    wanted = {one.id: one.publish for one in data.items}

    async def work(tx: Tx) -> list[reviews.Review]:
        return await _moderated(request, tx, wanted)

    return Decided(await shop_of(request).platform.db.transact(work))


async def _moderate(request: AnyRequest, review: UUID, *, publish: bool) -> reviews.Review:
    async with shop_of(request).platform.db.tx() as tx:
        return (await _moderated(request, tx, {review: publish}))[0]


async def _moderated(request: AnyRequest, tx: Tx, wanted: dict[UUID, bool]) -> list[reviews.Review]:
    """Decide about reviews in the order of their ids, and note each."""
    by = str(signed_in(request))
    decided = [(await reviews.moderate(tx, id, publish=wanted[id], by=by)) for id in sorted(wanted)]
    for before, review in decided:
        action = "reviews.publish" if wanted[review.id] else "reviews.refuse"
        await noted(request, tx, action, review.id, before={"status": before}, after={"status": review.status})
    return [review for _, review in decided]


ROUTES = [list_waiting, publish, refuse, decide]
