"""Stock levels: setting, listing, and telling the catalogue what is in stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.store import FIND_VARIANT, LEVELS, LIST, SET, STOCKED
from tfmshop.platform.db import Tx


@dataclass(frozen=True, slots=True)
class Level:
    """How many units of a variant are free to sell."""

    variant_id: UUID
    product_id: UUID
    sku: str
    available: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A level as staff see it."""

    sku: str
    available: int
    updated_at: datetime


async def set_levels(tx: Tx, levels: Iterable[Level]) -> None:
    """Set the free units of variants, note the movements, and refresh the marks of their products.

    Products are locked before stock, as imports do, so that the two cannot wait for each other.
    """
    ordered = sorted(levels, key=lambda level: level.variant_id)
    if not ordered:
        return

    async def change(tx: Tx, products: list[UUID]) -> Mapping[UUID, bool]:
        await tx.execute(
            SET, [level.variant_id for level in ordered], [level.product_id for level in ordered],
            [level.sku for level in ordered], [level.available for level in ordered],
        )  # fmt: skip
        return await stocked(tx, products)

    await catalog.keep.refresh_stock(tx, sorted({level.product_id for level in ordered}), change)


async def change_levels(tx: Tx, changes: Mapping[UUID, int]) -> None:
    """Add to the free units of variants, or take from them, never below none; what was sold meanwhile stays sold."""
    rows = await tx.rows(LEVELS, list(changes))
    await set_levels(
        tx,
        [Level(row["variant_id"], row["product_id"], row["sku"], max(0, row["available"] + changes[row["variant_id"]]))
         for row in rows],
    )  # fmt: skip


async def set_level(tx: Tx, sku_or_slug: str, units: int) -> Level:
    """Set the free units of one variant, found by SKU or by the slug of its product. `ProductNotFound`."""
    row = await tx.row(FIND_VARIANT, sku_or_slug)
    if row is None:
        raise catalog.ProductNotFound
    level = Level(row["variant_id"], row["product_id"], row["sku"], units)
    await set_levels(tx, [level])
    return level


async def stocked(tx: Tx, products: list[UUID]) -> Mapping[UUID, bool]:
    """Whether any variant of each product is free to sell."""
    found = {row["product_id"]: bool(row["stocked"]) for row in await tx.rows(STOCKED, products)}
    return {product: found.get(product, False) for product in products}


async def low(tx: Tx, at_most: int, limit: int) -> list[Listed]:
    """The variants with at most so many free units, fewest first."""
    return [Listed(*row) for row in await tx.rows(LIST, at_most, limit)]
