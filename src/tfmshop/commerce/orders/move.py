"""Cancelling an order, and why one does not move. The table of moves is in the WHERE."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tfmshop.commerce.orders.errors import CannotMove, OrderNotFound
from tfmshop.commerce.orders.model import OrderStatus, before
from tfmshop.commerce.orders.store import CANCEL, LOAD
from tfmshop.platform import clock
from tfmshop.platform.db import Tx


async def cancel(
    tx: Tx, id: UUID, *, payment_status: str, who: str, why: str, of: Sequence[str] | None = None
) -> tuple[UUID | None, dict[UUID, int]]:
    """Cancel an order that may be, or only one that stands as one `of` these; the cart it came from and the units that
    go back, by variant. `CannotMove`.
    """
    rows = await tx.rows(CANCEL, id, payment_status, clock.now(), of or before(OrderStatus.CANCELLED), who, why)
    if not rows:
        raise await why_not(tx, id, OrderStatus.CANCELLED)
    units: dict[UUID, int] = {}
    for row in rows:
        units[row["variant_id"]] = units.get(row["variant_id"], 0) + row["quantity"]
    return rows[0]["cart_id"], units


async def why_not(tx: Tx, id: UUID, wanted: OrderStatus) -> CannotMove | OrderNotFound:
    """Why an order cannot become what was wanted."""
    row = await tx.row(LOAD, id)
    return CannotMove(status=row["status"], wanted=wanted.value) if row else OrderNotFound()
