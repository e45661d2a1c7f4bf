"""News about reviews, worked on later."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.reviews.store import RATING
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import job


@job("reviews.moderated")
async def moderated(db: Database, payload: bytes) -> None:
    """A review was published or refused: rate its product anew. Safe to run twice: it counts what is there now.

    Writers never wait for one another at the product: only this job writes its rating.
    """
    product = codec.decode_as(payload, UUID)

    async def rate(tx: Tx) -> None:
        await catalog.keep.lock(tx, product)
        row = await tx.row(RATING, product)
        assert row is not None  # noqa: S101 - an aggregate gives a row
        await catalog.keep.rate(tx, product, row["rating"], row["count"])

    await db.transact(rate)
