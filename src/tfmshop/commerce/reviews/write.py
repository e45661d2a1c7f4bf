"""Writing a review."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tfmshop.commerce.reviews.errors import AlreadyReviewed, NotBought
from tfmshop.commerce.reviews.store import WRITE
from tfmshop.platform import ids
from tfmshop.platform.db import Refused, Tx


class NewReview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a buyer says: 1 to 5 stars, and words if they like."""

    rating: Annotated[int, Meta(ge=1, le=5)]
    title: Annotated[str, Meta(max_length=200)] = ""
    body: Annotated[str, Meta(max_length=5000)] = ""


def public_name(name: str) -> str:
    """A buyer's name as everyone may see it: `Ada Lovelace` is `Ada L.`"""
    first, _, rest = name.strip().partition(" ")
    return f"{first} {rest.split()[-1][0]}." if rest.split() else first


async def write(tx: Tx, product_id: UUID, customer_id: UUID, author: str, review: NewReview) -> UUID:
    """Add a review that waits for staff; its id. `NotBought`, `AlreadyReviewed`."""
    id = ids.new()
    try:
        async with tx.savepoint():
            written = await tx.execute(
                WRITE, id, product_id, customer_id, author, review.rating, review.title, review.body
            )
    except Refused:
        raise AlreadyReviewed from None
    if not written:
        raise NotBought
    return id
