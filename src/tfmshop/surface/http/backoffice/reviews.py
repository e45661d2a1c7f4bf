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
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Limit


class Waiting(msgspec.Struct, frozen=True):
    """Reviews that nobody looked at yet."""

    items: list[reviews.Review]


class Decisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of each of up to 100 reviews: all of it happens, or none."""

    publish: Annotated[list[UUID], Meta(max_length=100)] = []
    refuse: Annotated[list[UUID], Meta(max_length=100)] = []


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
    """Publish and refuse up to 100 reviews each, in one go: if one is not there, nothing happens.

    Errors: `review_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    if both := set(data.publish) & set(data.refuse):
        raise InvalidField("refuse", f"{both.pop()} shall be published, too.")
    wanted = sorted((dict.fromkeys(data.publish, True) | dict.fromkeys(data.refuse, False)).items())
    by = str(signed_in(request))

    async def work(tx: Tx) -> list[reviews.Review]:
        decided = [await reviews.moderate(tx, one, publish=publish, by=by) for one, publish in wanted]
        for one, publish in wanted:
            await noted(request, tx, "reviews.publish" if publish else "reviews.refuse", one)
        return decided

    return Decided(await shop_of(request).platform.db.transact(work))


async def _moderate(request: AnyRequest, review: UUID, *, publish: bool) -> reviews.Review:
    by = str(signed_in(request))
    async with shop_of(request).platform.db.tx() as tx:
        moderated = await reviews.moderate(tx, review, publish=publish, by=by)
        await noted(request, tx, "reviews.publish" if publish else "reviews.refuse", review)
    return moderated


ROUTES = [list_waiting, publish, refuse, decide]
