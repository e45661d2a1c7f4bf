"""What other modules and staff ask of the catalogue: what is in stock, what sells, what is new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tfmshop.commerce.catalog.errors import ProductNotFound
from tfmshop.commerce.catalog.store import (
    ADD_POPULARITY,
    LIST_NEWEST,
    LIST_OFF_SALE,
    LOCK_PRODUCTS,
    MARK_STOCKED,
    ON_SALE,
    RATE,
)
from tfmshop.commerce.catalog.store_edit import ADD_UP_COUNTS
from tfmshop.platform import ids
from tfmshop.platform.db import Database, Tx

Count = Callable[[Tx, list[UUID]], Awaitable[Mapping[UUID, bool]]]


async def refresh_stock(tx: Tx, products: list[UUID], count: Count) -> None:
    """Show `products` as in or out of stock in lists, as `count` finds them while nobody else can change the mark."""
    await tx.rows(LOCK_PRODUCTS, products)
    stocked = await count(tx, products)
    await tx.execute(MARK_STOCKED, list(stocked), list(stocked.values()))


async def on_sale(tx: Tx, id_or_slug: str) -> UUID:
    """The id of a product on sale. `ProductNotFound`."""
    id = ids.parse(id_or_slug)
    found: UUID | None = await tx.value(ON_SALE, id, None if id else id_or_slug)
    if found is None:
        raise ProductNotFound
    return found


async def lock(tx: Tx, *products: UUID) -> None:
    """Keep others from changing products until the transaction ends."""
    await tx.rows(LOCK_PRODUCTS, products)


async def rate(tx: Tx, product: UUID, rating: float, count: int) -> None:
    """Show what buyers think of a product: the mean of their ratings, and how many."""
    await tx.execute(RATE, product, rating, count)


async def add_up_counts(db: Database) -> None:
    """Add the changes of categories' counts up, so that reading them stays quick."""
    async with db.tx() as tx:
        await tx.execute(ADD_UP_COUNTS)


async def add_popularity(tx: Tx, sold: Mapping[UUID, int]) -> None:
    """Count sold units towards the popularity of products."""
    await tx.execute(ADD_POPULARITY, list(sold), list(sold.values()))


_AFTER_ALL: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class Entry:
    """A product as staff see it, whatever its status; the price in minor units."""

    sku: str
    slug: str
    title: str
    status: str
    price: int
    currency: str
    in_stock: bool
    created_at: datetime
    id: UUID
    version: int


async def newest(
    tx: Tx, limit: int, *, status: str | None = None, before: tuple[datetime, UUID] | None = None
) -> list[Entry]:
    """The products that were added last, on sale or not; those after `before` where it is given."""
    query = LIST_NEWEST if status in (None, "active") else LIST_OFF_SALE
    return [Entry(*row) for row in await tx.rows(query, limit, *(before or _AFTER_ALL), status)]
