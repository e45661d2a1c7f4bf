"""What other modules tell the catalogue: what is in stock, what sells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from tfmshop.commerce.catalog.errors import ProductNotFound
from tfmshop.commerce.catalog.store import ADD_POPULARITY, FIND_SELLABLE, LOCK_PRODUCTS, MARK_STOCKED
from tfmshop.platform.db import Tx

Count = Callable[[Tx, list[UUID]], Awaitable[Mapping[UUID, bool]]]


async def refresh_stock(tx: Tx, products: list[UUID], count: Count) -> None:
    """Show `products` as in or out of stock in lists, as `count` finds them while nobody else can change the mark."""
    await tx.rows(LOCK_PRODUCTS, products)
    stocked = await count(tx, products)
    await tx.execute(MARK_STOCKED, list(stocked), list(stocked.values()))


async def add_popularity(tx: Tx, sold: Mapping[UUID, int]) -> None:
    """Count sold units towards the popularity of products."""
    await tx.execute(ADD_POPULARITY, list(sold), list(sold.values()))


async def find_sellable(tx: Tx, sku_or_slug: str) -> tuple[UUID, UUID, str]:
    """Variant, product and SKU by SKU, or of the first variant of the product with that slug. `ProductNotFound`."""
    row = await tx.row(FIND_SELLABLE, sku_or_slug)
    if row is None:
        raise ProductNotFound
    return row["variant_id"], row["product_id"], row["sku"]
