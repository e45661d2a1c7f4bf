"""What prices do by the clock."""

from __future__ import annotations

from tfmshop.commerce.pricing.sales import move_due
from tfmshop.platform.db import Database
from tfmshop.platform.jobs import schedule


@schedule("pricing.sales", "* * * * *")
async def move_sales(db: Database) -> None:
    """Begin and end the sales that are due."""
    while await db.transact(move_due):
        pass
