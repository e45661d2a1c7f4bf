"""Staff publish a review or refuse it."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.reviews.browse import Review
from tfmshop.commerce.reviews.errors import ReviewNotFound
from tfmshop.commerce.reviews.store import MODERATE
from tfmshop.platform.db import Tx


async def moderate(tx: Tx, review: UUID, *, publish: bool, by: str) -> tuple[str, Review]:
    """Publish or refuse a review, now or again: the status that it had, and as it is. The product's rating follows in
    a job. `ReviewNotFound`.
    """
    row = await tx.row(MODERATE, review, "published" if publish else "refused", by)
    if row is None:
        raise ReviewNotFound(review=str(review))
    return row["before"], Review(*row[:8])
