"""Taking stock for an order and giving it back; holding it for a cart and letting it go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.inventory.errors import OutOfStock
from tfmshop.commerce.inventory.store import FREE, GIVE_BACK, RELEASE, RELEASE_EXPIRED, RESERVE, TAKE
from tfmshop.platform.db import Query, Row, Tx


@dataclass(frozen=True, slots=True)
class Taking:
    """The units of variants that an order takes; what its cart had reserved is used first."""

    order_id: UUID
    cart_id: UUID
    wanted: Mapping[UUID, int]


async def take(tx: Tx, takings: Sequence[Taking]) -> dict[UUID, OutOfStock]:
    """Take units for orders; the orders that are short, each with the first variant that is.

    Warehouses give in the order of their priority, and owe only when nobody has. A variant of which there is not enough
    for all of the orders is given to none of them. Where an order is short, the transaction must be given up.
    """
    return await _share(tx, TAKE, [(one.order_id, one.wanted) for one in takings], [one.cart_id for one in takings])


async def reserve(tx: Tx, cart_id: UUID, wanted: Mapping[UUID, int], expires_at: datetime) -> None:
    """Hold units of variants for a cart, all or none, in place of whatever it held before. `OutOfStock`."""
    for short in (await _share(tx, RESERVE, [(cart_id, wanted)], [cart_id], expires_at)).values():
        raise short


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


async def _share(
    tx: Tx, query: Query, takers: Sequence[tuple[UUID, Mapping[UUID, int]]], carts: Sequence[UUID], *more: object
) -> dict[UUID, OutOfStock]:
    units = [(variant, quantity, taker) for taker, wanted in takers for variant, quantity in wanted.items()]
    rows = await tx.rows(
        query, [one[0] for one in units], [one[1] for one in units], [one[2] for one in units], list(carts), *more
    )
    given = {row[0] for row in rows if row[1]}
    short = {taker: next((variant for variant in wanted if variant not in given), None) for taker, wanted in takers}
    if not any(short.values()):
        return {}
    free = {row["variant_id"]: row for row in await tx.rows(FREE, [one for one in short.values() if one])}
    return {taker: _short(variant, free.get(variant)) for taker, variant in short.items() if variant}


def _short(variant: UUID, row: Row | None) -> OutOfStock:
    return OutOfStock(sku=row["sku"], free=row["available"]) if row else OutOfStock(sku=str(variant), free=0)
