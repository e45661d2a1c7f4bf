"""News about stock, worked on later."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import structlog

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.levels import stocked
from tfmshop.commerce.inventory.store import UNTOLD
from tfmshop.commerce.inventory.take import release_expired
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import events, job, schedule

log = structlog.get_logger("inventory")

SHOWN: Final = 20


class LowLevel(msgspec.Struct, frozen=True):
    """Units that are left of a variant in a warehouse."""

    sku: str
    warehouse: str
    available: int


class Low(msgspec.Struct, frozen=True):
    """News of stock that runs low: how many levels, and the lowest of them."""

    levels: int
    lowest: list[LowLevel]


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
    """Levels that became low since the last time: how many, and the lowest of them, in the log and as news."""

    async def tell(tx: Tx) -> Low | None:
        rows = await tx.rows(UNTOLD)
        if not rows:
            return None
        low = Low(len(rows), [LowLevel(*row) for row in rows[:SHOWN]])
        await events.publish(tx, "stock.low", ids.new(), low)
        return low

    if low := await db.transact(tell):
        lowest = [f"{one.sku} in {one.warehouse}: {one.available}" for one in low.lowest]
        log.warning("stock is low", levels=low.levels, lowest=lowest)
