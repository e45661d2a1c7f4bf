"""Stock levels by variant and warehouse: setting, listing, and telling the catalogue what is in stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.errors import TooManyOwed, WarehouseNotFound
from tfmshop.commerce.inventory.store import (
    ADD_WAREHOUSE,
    COPY_LEVELS,
    COPY_MOVEMENTS,
    EVERYWHERE,
    FIND_VARIANT,
    HISTORY,
    LEVELS,
    LIST,
    LIST_LOW,
    RULE,
    SET,
    STOCKED,
    WAREHOUSES,
)  # fmt: skip
from tfmshop.platform.db import Refused, Tx


@dataclass(frozen=True, slots=True)
class Level:
    """How many units of a variant are free to sell."""

    variant_id: UUID
    product_id: UUID
    sku: str
    available: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A level as staff see it: free and reserved units, how many may be owed, and when staff are told."""

    sku: str
    warehouse: str
    available: int
    reserved: int
    backorder_limit: int
    low_at: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place that holds stock; the lowest `priority` gives first."""

    code: str
    name: str
    priority: int


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of a level and its reason: set, sold, returned or moved."""

    at: datetime
    warehouse: str
    delta: int
    reason: str
    order_id: UUID | None


async def set_levels(tx: Tx, levels: Iterable[Level], warehouse: str = "main") -> None:
    """Set the free units of variants in a warehouse, note the movements, and refresh the marks of their products.

    Products are locked before stock, as imports do, so that the two cannot wait for each other.
    """
    ordered = sorted(levels, key=lambda level: level.variant_id)
    if not ordered:
        return

    async def change(tx: Tx, products: list[UUID]) -> Mapping[UUID, bool]:
        await tx.execute(
            SET, [level.variant_id for level in ordered], [level.product_id for level in ordered],
            [level.sku for level in ordered], [level.available for level in ordered], warehouse,
        )  # fmt: skip
        return await stocked(tx, products)

    await catalog.keep.refresh_stock(tx, sorted({level.product_id for level in ordered}), change)


async def add_levels(tx: Tx, levels: Iterable[Level], warehouse: str = "main") -> None:
    """Give variants that this transaction added their first levels; their products have the right marks already."""
    new = list(levels)
    await tx.copy(COPY_LEVELS, [(one.variant_id, warehouse, one.product_id, one.sku, one.available) for one in new])
    await tx.copy(COPY_MOVEMENTS, [(one.variant_id, warehouse, one.available, "set") for one in new if one.available])


async def hold(tx: Tx, variants: Iterable[UUID]) -> None:
    """Keep others from taking variants from the main warehouse until the transaction ends; their products come first,
    as in `set_levels`.
    """
    await tx.rows(LEVELS, sorted(variants))


async def empty(tx: Tx, variant: UUID) -> int:
    """Take what is free of a variant out of every warehouse; how many units. Nobody takes any until the end."""
    rows = await tx.rows(EVERYWHERE, variant)
    for row in rows:
        await set_levels(tx, [Level(variant, row["product_id"], row["sku"], 0)], row["warehouse"])
    return sum(row["available"] for row in rows)


async def change_levels(tx: Tx, changes: Mapping[UUID, int]) -> None:
    """Add to the free units of variants, or take from them, never below none; what was sold meanwhile stays sold."""
    rows = await tx.rows(LEVELS, list(changes))
    await set_levels(
        tx,
        [Level(row["variant_id"], row["product_id"], row["sku"], max(0, row["available"] + changes[row["variant_id"]]))
         for row in rows],
    )  # fmt: skip


async def find_variant(tx: Tx, sku_or_slug: str) -> Level:
    """The variant with a SKU, or the first of the product with a slug, on sale or not; without its level.

    `ProductNotFound`.
    """
    row = await tx.row(FIND_VARIANT, sku_or_slug)
    if row is None:
        raise catalog.errors.ProductNotFound
    return Level(row["variant_id"], row["product_id"], row["sku"], 0)


async def set_level(tx: Tx, sku_or_slug: str, units: int, warehouse: str = "main") -> Level:
    """Set the free units of one variant in a warehouse. `ProductNotFound`, `WarehouseNotFound`."""
    if warehouse not in {one.code for one in await warehouses(tx)}:
        raise WarehouseNotFound(warehouse=warehouse)
    level = replace(await find_variant(tx, sku_or_slug), available=units)
    await set_levels(tx, [level], warehouse)
    return level


async def set_rules(
    tx: Tx, sku_or_slug: str, warehouse: str, *, backorder_limit: int | None, low_at: int | None
) -> None:
    """Say how many units of a variant may be owed, and when staff are told that it runs low.

    `ProductNotFound`; `WarehouseNotFound` when that warehouse has no level of it; `TooManyOwed` when more are owed.
    """
    level = await find_variant(tx, sku_or_slug)

    async def change(tx: Tx, products: list[UUID]) -> Mapping[UUID, bool]:
        try:
            async with tx.savepoint():
                found = await tx.value(RULE, level.variant_id, warehouse, backorder_limit, low_at)
        except Refused:
            raise TooManyOwed(sku=level.sku) from None
        if found is None:
            raise WarehouseNotFound(warehouse=warehouse)
        return await stocked(tx, products)

    await catalog.keep.refresh_stock(tx, [level.product_id], change)


async def add_warehouse(tx: Tx, warehouse: Warehouse) -> None:
    """Add a warehouse, or change the one with that code."""
    await tx.execute(ADD_WAREHOUSE, warehouse.code, warehouse.name, warehouse.priority)


async def warehouses(tx: Tx) -> list[Warehouse]:
    """Every warehouse, in the order in which they give."""
    return [Warehouse(*row) for row in await tx.rows(WAREHOUSES)]


async def history(tx: Tx, sku_or_slug: str, limit: int) -> list[Movement]:
    """The last movements of a variant, newest first. `ProductNotFound`."""
    level = await find_variant(tx, sku_or_slug)
    return [Movement(*row) for row in await tx.rows(HISTORY, level.variant_id, limit)]


async def stocked(tx: Tx, products: list[UUID]) -> Mapping[UUID, bool]:
    """Whether any variant of each product is free to sell."""
    found = {row["product_id"]: bool(row["stocked"]) for row in await tx.rows(STOCKED, products)}
    return {product: found.get(product, False) for product in products}


async def listed(tx: Tx, at_most: int, limit: int, *, low: bool = False) -> list[Listed]:
    """Levels of at most so many free units, fewest first; with `low` only those at or below their own mark."""
    return [Listed(*row) for row in await tx.rows(LIST_LOW if low else LIST, at_most, limit)]
