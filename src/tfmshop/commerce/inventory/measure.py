"""What is measured of stock."""

from __future__ import annotations

from tfmshop.commerce.inventory.store import COUNT_LOW
from tfmshop.platform.db import Tx
from tfmshop.platform.observe.metrics import Gauge, Over

LOW = Gauge("tfmshop_stock_low", "Variants of which a warehouse has no more than it should.", over=Over.MOST)
OUT = Gauge("tfmshop_stock_out", "Variants among them of which nothing is left.", over=Over.MOST)


async def measure(tx: Tx) -> None:
    """Bring the metrics of stock up to date."""
    (row,) = await tx.rows(COUNT_LOW)
    LOW.of().set(row["low"])
    OUT.of().set(row["nothing"])
