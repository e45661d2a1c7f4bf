"""News about stock, worked on later."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.levels import stocked
from tfmshop.commerce.inventory.store import UNTOLD
from tfmshop.commerce.inventory.take import release_expired
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import job, schedule

log = structlog.get_logger("inventory")

SHOWN: Final = 10


@job("inventory.stock_changed")
async def stock_changed(db: Database, payload: bytes) -> None:
    """A variant sold out or came back: show its product so. Safe to run twice: it looks at what is true now."""
    product = codec.decode_as(payload, UUID)

    async def refresh(tx: Tx) -> None:
        await catalog.keep.refresh_stock(tx, [product], stocked)

    await db.transact(refresh)


@schedule("inventory.release", "* * * * *")
async def release(db: Database) -> None:
    """Reservations whose time is over: their units go back."""
    while await db.transact(release_expired):
        pass


@schedule("inventory.low", "* * * * *")
async def tell_low(db: Database) -> None:
    """Levels that became low since the last time: how many, and the lowest of them, in one line of the log."""
    async with db.tx() as tx:
        rows = await tx.rows(UNTOLD)
    if rows:
        lowest = [f"{row['sku']} in {row['warehouse']}: {row['available']}" for row in rows[:SHOWN]]
        log.warning("stock is low", levels=len(rows), lowest=lowest)
