"""What search does by the clock, and when categories change."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.search.learn import learn
from tfmshop.commerce.search.store import IN_CATEGORY, REWRITE
from tfmshop.platform import codec
from tfmshop.platform.cache import asked
from tfmshop.platform.db import Database
from tfmshop.platform.jobs import job, schedule

BATCH = 500


@schedule("search.learn", "*/10 * * * *")
async def learn_again(db: Database) -> None:
    """Learn the words of the catalogue anew when enough of it changed."""
    await learn(db)


@schedule("search.forget_asked", "30 4 * * *")
async def forget_asked(db: Database) -> None:
    """Forget the pages that nobody asks for any more."""
    async with db.tx() as tx:
        await asked.forget(tx)


@job("search.category_changed")
async def category_changed(db: Database, payload: bytes) -> None:
    """Write the entries of everything in a category anew, a batch at a time."""
    category = codec.decode_as(payload, UUID)
    after = UUID(int=0)
    while True:
        async with db.tx() as tx:
            batch = [row["product_id"] for row in await tx.rows(IN_CATEGORY, category, after, BATCH)]
            if not batch:
                return
            await tx.value(REWRITE, batch)
        after = batch[-1]
