"""Taking stock for an order and giving it back; holding it for a cart and letting it go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.inventory.errors import OutOfStock
from tfmshop.commerce.inventory.store import FREE, GIVE_BACK, RELEASE, RELEASE_EXPIRED, RESERVE, TAKE
from tfmshop.platform.db import Query, Tx


async def take(tx: Tx, order_id: UUID, wanted: Mapping[UUID, int], *, cart_id: UUID) -> None:
    """Take units of variants for an order, all or none; what its cart had reserved is used first.

    Warehouses give in the order of their priority, and owe only when nobody has. `OutOfStock` names the first variant
    that is short.
    """
    await _share(tx, TAKE, wanted, cart_id, order_id)


async def reserve(tx: Tx, cart_id: UUID, wanted: Mapping[UUID, int], expires_at: datetime) -> None:
    """Hold units of variants for a cart, all or none, in place of whatever it held before. `OutOfStock`."""
    await _share(tx, RESERVE, wanted, cart_id, expires_at)


async def release(tx: Tx, cart_id: UUID) -> None:
    """Let go of what a cart holds."""
    await tx.rows(RELEASE, cart_id)


async def release_expired(tx: Tx) -> int:
    """Let go of up to 1,000 reservations whose time is over; how many levels changed."""
    return len(await tx.rows(RELEASE_EXPIRED, None))


async def give_back(tx: Tx, order_id: UUID, quantities: Mapping[UUID, int]) -> None:
    """Return units of an order to the warehouses they came from; never more than the order took.

    The caller holds the order's row, so that two returns of one order come one after the other.
    """
    await tx.rows(GIVE_BACK, list(quantities), list(quantities.values()), order_id)


async def _share(tx: Tx, query: Query, wanted: Mapping[UUID, int], cart_id: UUID, last: object) -> None:
    rows = await tx.rows(query, list(wanted), list(wanted.values()), cart_id, last)
    given = {row[0] for row in rows if row[1]}
    short = [variant for variant in wanted if variant not in given]
    if short:
        free = {row["variant_id"]: row for row in await tx.rows(FREE, short)}
        first = free.get(short[0])
        raise OutOfStock(sku=first["sku"] if first else str(short[0]), free=first["available"] if first else 0)
