"""Counting what sells."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.orders.store import COUNT_SALES
from tfmshop.platform.db import Tx


async def count_sales(tx: Tx, order_id: UUID) -> bool:
    """Count an order's units towards the popularity of its products; False, and nothing, when that was done before."""
    sold = {row["product_id"]: row["sold"] for row in await tx.rows(COUNT_SALES, order_id)}
    if sold:
        await catalog.keep.add_popularity(tx, sold)
    return bool(sold)
