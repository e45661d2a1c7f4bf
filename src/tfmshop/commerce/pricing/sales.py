"""Sales by the clock: a variant costs less for a time, everywhere, and its former price is shown beside it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce import catalog
from tfmshop.commerce.pricing.errors import BadSale, SaleNotFound
from tfmshop.commerce.pricing.store_lists import (
    ANOTHER_RUNS,
    DUE_SALES,
    HOLD_SALE,
    MOVE_SALE,
    PLAN_SALE,
    PRICE_NOW,
    SALES,
)
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Refused, Row, Tx


class Sale(msgspec.Struct, frozen=True):
    """A sale: `planned`, `running` or `over`; `regular` is what the variant costs without it."""

    id: UUID
    sku: str
    price: int
    starts_at: datetime
    ends_at: datetime
    state: str
    regular: int


async def plan(tx: Tx, sku: str, price: int, starts_at: datetime, ends_at: datetime) -> UUID:
    """Plan a sale; its id. It begins and ends within a minute of its times. `ProductNotFound`, `BadSale`."""
    id = ids.new()
    if ends_at <= clock.now():
        raise BadSale(why="it would be over already")
    try:
        async with tx.savepoint():
            regular = await tx.value(PLAN_SALE, id, sku, price, starts_at, ends_at)
    except Refused as error:
        why = {"sale_open": "another sale of it is at the same time", "sale_times": "it must end after it starts"}
        raise BadSale(why=why.get(error.constraint or "", "its price must not be below 0")) from None
    if regular is None:
        raise catalog.errors.ProductNotFound
    if price >= regular:
        raise BadSale(why=f"its price must be below {regular}")
    return id


async def listed(tx: Tx, limit: int, *, over: bool = False) -> list[Sale]:
    """Sales, those that start last first; with `over` also those that ended."""
    return [Sale(*row) for row in await tx.rows(SALES, limit, over)]


async def end(tx: Tx, id: UUID) -> None:
    """Call a sale off, or end it now. `SaleNotFound` when it is over."""
    row = await tx.row(HOLD_SALE, id)
    if row is None:
        raise SaleNotFound
    await _move(tx, row)


async def move_due(tx: Tx) -> int:
    """Begin and end what is due, up to 100 sales; how many."""
    moved = 0
    for row in await tx.rows(DUE_SALES):
        moved += await _move(tx, row)
    return moved


async def _move(tx: Tx, row: Row) -> bool:
    """A sale's next step. One that lowers nothing is over at once; what staff set meanwhile stays. One
    waits while another of its variant runs; whether it moved.
    """
    state, regular, compare = "over", row["regular"], row["regular_compare"]
    if row["product_id"] is not None:
        await catalog.keep.lock(tx, row["product_id"])
    if row["state"] == "planned" and not row["ends"] and await tx.value(ANOTHER_RUNS, row["variant_id"], row["id"]):
        return False
    now = await tx.row(PRICE_NOW, row["variant_id"])
    if now is not None and row["state"] == "planned" and not row["ends"] and row["price"] < now["price"]:
        state, regular, compare = "running", now["price"], now["compare_at_price"]
        changes = catalog.variants.VariantChanges(price=row["price"], compare_at_price=now["price"])
        await catalog.variants.change(tx, now["sku"], changes)
    elif now is not None and row["state"] == "running" and now["price"] == row["price"]:
        kept = compare if now["compare_at_price"] == regular else now["compare_at_price"]
        kept = kept if kept is not None and kept > regular else None
        await catalog.variants.change(
            tx, now["sku"], catalog.variants.VariantChanges(price=regular, compare_at_price=kept)
        )
    await tx.execute(MOVE_SALE, row["id"], state, regular, compare)
    return True
