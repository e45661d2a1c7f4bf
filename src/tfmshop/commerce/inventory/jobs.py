"""News about stock, worked on later."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.levels import stocked
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import job


@job("inventory.stock_changed")
async def stock_changed(db: Database, payload: bytes) -> None:
    """A variant sold out or came back: show its product so. Safe to run twice: it looks at what is true now."""
    product = codec.decode_as(payload, UUID)

    async def refresh(tx: Tx) -> None:
        await catalog.keep.refresh_stock(tx, [product], stocked)

    await db.transact(refresh)
