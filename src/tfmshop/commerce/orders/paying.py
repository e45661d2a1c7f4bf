"""How an order is paid: reading it, holding it, marking what became of the money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

import msgspec

from tfmshop.commerce.orders.errors import CannotMove, OrderNotFound
from tfmshop.commerce.orders.events import OrderPaid
from tfmshop.commerce.orders.model import MOVED_IN, Event, Order, OrderStatus, before
from tfmshop.commerce.orders.move import why_not
from tfmshop.commerce.orders.store import HOLD_PAYMENT, MARK_PAYMENT, MOVE, PAYMENT, SETTLE, UNPAID
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Row, Tx, columns
from tfmshop.platform.idempotency import Answer, Key


@dataclass(frozen=True, slots=True)
class Payment:
    """An order as those see it who move money."""

    order_id: UUID
    number: str
    status: str
    state: str
    provider: str
    total: Money
    reference: str

    @property
    def elsewhere(self) -> bool:
        """Whether another shop took the money."""
        return self.provider == MOVED_IN


@dataclass(frozen=True, slots=True)
class Paid:
    """That money for an order is promised: the provider's reference, when, and who did it."""

    reference: str
    at: datetime
    who: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """An order that is paid, and the answer that the request which made it so will give."""

    order_id: UUID
    paid: Paid
    key: Key | None = None
    answer: Answer | None = None


async def settle(tx: Tx, settlements: Sequence[Settlement]) -> list[CannotMove | OrderNotFound | None]:
    """Mark orders as paid, tell the world, and remember the answers, in one statement; for each, why it did not go."""
    rows = [
        (one.order_id, one.paid.reference, one.paid.at, one.paid.who,
         codec.encode(OrderPaid(one.order_id)), one.key and one.key.scope, one.key and one.key.value,
         one.answer and one.answer.status, one.answer and one.answer.body)
        for one in sorted(settlements, key=attrgetter("order_id"))
    ]  # fmt: skip
    moved = {row["id"] for row in await tx.rows(SETTLE, before(OrderStatus.PAID), *columns(rows))}
    return [None if one.order_id in moved else await why_not(tx, one.order_id, OrderStatus.PAID) for one in settlements]


async def settle_one(tx: Tx, id: UUID, paid: Paid) -> None:
    """Mark one order as paid, for a payment that no request waits for. `CannotMove`, `OrderNotFound`."""
    for refused in await settle(tx, [Settlement(id, paid)]):
        if refused is not None:
            raise refused


async def look(tx: Tx, id: UUID, *, hold: bool = False) -> Payment:
    """How an order is paid; with `hold` nobody else changes it until the transaction ends. `OrderNotFound`."""
    row = await tx.row(HOLD_PAYMENT if hold else PAYMENT, id)
    if row is None:
        raise OrderNotFound
    return _as_payment(row)


def _as_payment(row: Row) -> Payment:
    return Payment(
        row["id"], row["number"], row["status"], row["payment_status"], row["payment_provider"],
        Money(row["total"], row["currency"]), row["payment_reference"] or "",
    )  # fmt: skip


async def unpaid(
    tx: Tx, older_than: timedelta, but_not_of: list[str], nor: list[UUID], *, challenged: timedelta
) -> list[Payment]:
    """Up to 100 orders that were placed a while ago and never settled, but not of some providers nor some orders; those
    whose buyer is at a provider's page have a while of their own.
    """
    now = clock.now()
    rows = await tx.rows(UNPAID, now - older_than, but_not_of, now - challenged, nor)
    return [_as_payment(row) for row in rows]


async def mark(tx: Tx, id: UUID, state: str, *, of: Sequence[str]) -> bool:
    """Note what became of the money, if the payment stands as one `of` these states; whether it did."""
    return await tx.execute(MARK_PAYMENT, id, state, list(of)) == 1


def as_paid(order: Order, paid: Paid) -> Order:
    """The order as it will stand once `settle` is done."""
    return msgspec.structs.replace(
        order, status=OrderStatus.PAID, payment_status="authorized",
        history=[*order.history, Event(paid.at, OrderStatus.PAID, paid.who, "")],
    )  # fmt: skip


async def mark_refunded(tx: Tx, id: UUID, *, who: str, why: str) -> None:
    """Close an order whose whole money goes back, where the table of moves has that step."""
    await tx.execute(MOVE, id, OrderStatus.REFUNDED.value, clock.now(), before(OrderStatus.REFUNDED), who, why)
