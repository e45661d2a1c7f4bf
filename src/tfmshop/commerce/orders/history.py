"""Orders of the past, added many at once: for sample data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from tfmshop.commerce.orders.model import MOVED_IN, OrderStatus
from tfmshop.commerce.orders.place import Line
from tfmshop.commerce.orders.store import ANALYZE, COPY_HISTORY, COPY_LINES, COPY_ORDERS
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import codec
from tfmshop.platform.db import Tx

BATCH: Final = 5000


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order that happened: its lines, and when it reached each status."""

    id: UUID
    number: str
    customer_id: UUID
    email: str
    address: Address
    currency: str
    lines: Sequence[Line]
    steps: Sequence[tuple[datetime, OrderStatus]]


async def add_past(tx: Tx, past: Iterable[PastOrder], done: Callable[[int], None]) -> tuple[int, int]:
    """Add orders of the past by COPY, in batches; how many orders and lines.

    They take no stock and count no sales, and their money was taken elsewhere. `done` is called with the number of
    orders added so far.
    """
    orders = lines = 0
    source = iter(past)
    while batch := list(islice(source, BATCH)):
        await tx.copy(COPY_ORDERS, [_head(order) for order in batch])
        lines += await tx.copy(COPY_LINES, [line for order in batch for line in _lines(order)])
        steps = [(o.id, at, status.value, str(o.customer_id), "") for o in batch for at, status in o.steps]
        await tx.copy(COPY_HISTORY, steps)
        orders += len(batch)
        done(orders)
    await tx.execute(ANALYZE)
    return orders, lines


def _head(order: PastOrder) -> tuple[object, ...]:
    total = sum(line.unit_price * line.quantity for line in order.lines)
    status = order.steps[-1][1]
    payment = "voided" if status is OrderStatus.CANCELLED else "captured"
    return (order.id, order.number, order.customer_id, status.value, payment, MOVED_IN, order.currency, total, total,
            order.email, codec.encode_text(order.address), True, order.steps[0][0], order.steps[-1][0])  # fmt: skip


def _lines(order: PastOrder) -> list[tuple[object, ...]]:
    return [
        (order.id, position, line.product_id, line.variant_id, line.sku, line.title, line.quantity, line.unit_price,
         line.unit_price * line.quantity)
        for position, line in enumerate(order.lines, 1)
    ]  # fmt: skip
