"""What the catalogue does by the clock."""

from __future__ import annotations

from tfmshop.commerce.catalog import keep
from tfmshop.commerce.catalog.store_edit import PUBLISH_DUE, WITHDRAW_DUE
from tfmshop.platform.db import Database
from tfmshop.platform.jobs import schedule


@schedule("catalog.publish_due", "* * * * *")
async def publish_due(db: Database) -> None:
    """Put on sale, and take off it, what is due."""
    async with db.tx() as tx:
        await tx.execute(PUBLISH_DUE)
        await tx.execute(WITHDRAW_DUE)


@schedule("catalog.add_up_counts", "*/5 * * * *")
async def add_up_counts(db: Database) -> None:
    """Add the changes of categories' counts up."""
    await keep.add_up_counts(db)
