"""Moving an order along: paid, or cancelled. The table of moves is in the WHERE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tfmshop.commerce.orders.errors import CannotMove, OrderNotFound
from tfmshop.commerce.orders.events import OrderPaid
from tfmshop.commerce.orders.model import OrderStatus, before
from tfmshop.commerce.orders.store import CANCEL, LOAD, SETTLE
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Tx
from tfmshop.platform.idempotency import Answer, Key


@dataclass(frozen=True, slots=True)
class Paid:
    """That money for an order is promised: the provider's reference, when, and a guest's new token."""

    reference: str
    at: datetime
    who: str
    token: str | None = None
    token_hash: bytes | None = None


async def settle(tx: Tx, id: UUID, paid: Paid, *, key: Key | None = None, answer: Answer | None = None) -> None:
    """Mark an order as paid, tell the world, and remember the answer, in one statement. `CannotMove`."""
    moved = await tx.value(
        SETTLE, id, paid.reference, paid.token_hash, paid.at, before(OrderStatus.PAID), paid.who,
        codec.encode(OrderPaid(id)), key and key.scope, key and key.value, answer and answer.status,
        answer and answer.body,
    )  # fmt: skip
    if moved is None:
        raise await _why_not(tx, id, OrderStatus.PAID)


async def cancel(tx: Tx, id: UUID, *, payment_status: str, who: str, why: str) -> tuple[UUID | None, dict[UUID, int]]:
    """Cancel an order; the cart it came from and the units that go back, by variant. `CannotMove`."""
    rows = await tx.rows(CANCEL, id, payment_status, clock.now(), before(OrderStatus.CANCELLED), who, why)
    if not rows:
        raise await _why_not(tx, id, OrderStatus.CANCELLED)
    units: dict[UUID, int] = {}
    for row in rows:
        units[row["variant_id"]] = units.get(row["variant_id"], 0) + row["quantity"]
    return rows[0]["cart_id"], units


async def _why_not(tx: Tx, id: UUID, wanted: OrderStatus) -> CannotMove | OrderNotFound:
    row = await tx.row(LOAD, id)
    return CannotMove(status=row["status"], wanted=wanted.value) if row else OrderNotFound()
