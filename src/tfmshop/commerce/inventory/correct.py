"""Setting many levels at once: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tfmshop.commerce import catalog
from tfmshop.commerce.inventory.errors import StaleLevel, WarehouseNotFound
from tfmshop.commerce.inventory.levels import Level, find_variant, set_levels, warehouses
from tfmshop.commerce.inventory.store import HOLD_LEVELS
from tfmshop.platform.db import Tx

Units = Annotated[int, Meta(ge=0, le=10**9)]


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units of a variant are free from now on; `expected` is how many the counter believed there were."""

    sku: Annotated[str, Meta(min_length=1, max_length=100)]
    units: Units
    expected: Units | None = None


async def set_many(tx: Tx, counts: Sequence[Count], warehouse: str) -> dict[str, tuple[int, int]]:
    """Set levels in a warehouse; by SKU what each was and is. The last count of a variant holds.

    `ProductNotFound`, `WarehouseNotFound`; `StaleLevel` when units were sold or came since they were counted.
    """
    if warehouse not in {one.code for one in await warehouses(tx)}:
        raise WarehouseNotFound(warehouse=warehouse)
    wanted: dict[UUID, Count] = {}
    found: dict[UUID, Level] = {}
    for count in counts:
        level = replace(await find_variant(tx, count.sku), available=count.units)
        wanted[level.variant_id], found[level.variant_id] = count, level
    levels = list(found.values())
    await catalog.keep.lock(tx, *sorted({level.product_id for level in levels}))
    there = {row["variant_id"]: row["available"]
             for row in await tx.rows(HOLD_LEVELS, [level.variant_id for level in levels], warehouse)}  # fmt: skip
    for level in levels:
        expected, free = wanted[level.variant_id].expected, there.get(level.variant_id, 0)
        if expected is not None and expected != free:
            raise StaleLevel(sku=level.sku, free=free)
    await set_levels(tx, levels, warehouse)
    return {level.sku: (there.get(level.variant_id, 0), level.available) for level in levels}
