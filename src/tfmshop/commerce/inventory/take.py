"""Taking stock for an order, and giving it back."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tfmshop.commerce.inventory.errors import OutOfStock
from tfmshop.commerce.inventory.store import FREE, GIVE_BACK, TAKE
from tfmshop.platform.db import Tx


async def take(tx: Tx, order_id: UUID, wanted: Mapping[UUID, int]) -> None:
    """Take units of variants for an order, all or none. `OutOfStock` names the first that is short."""
    rows = await tx.rows(TAKE, list(wanted), list(wanted.values()), order_id)
    if len(rows) < len(wanted):
        taken = {row[0] for row in rows}
        short = [variant for variant in wanted if variant not in taken]
        free = {row["variant_id"]: row for row in await tx.rows(FREE, short)}
        first = free.get(short[0])
        raise OutOfStock(sku=first["sku"] if first else str(short[0]), free=first["available"] if first else 0)


async def give_back(tx: Tx, order_id: UUID, quantities: Mapping[UUID, int]) -> None:
    """Return the units of an order that will not be sent."""
    await tx.rows(GIVE_BACK, list(quantities), list(quantities.values()), order_id)
