"""Sending what was bought, a parcel at a time, and its arrival."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tfmshop.commerce.orders.errors import CannotMove, CannotShip
from tfmshop.commerce.orders.events import OrderNews
from tfmshop.commerce.orders.model import OrderStatus, Shipment, ShippedLine, allotted, before
from tfmshop.commerce.orders.paying import Payment, look
from tfmshop.commerce.orders.store import MOVE, SHIP, TO_SHIP
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Tx


async def ship(tx: Tx, id: UUID, units: Mapping[str, int] | None, *, carrier: str, tracking: str, who: str) -> Shipment:
    """Send units by SKU, or all that is left without `units`. The order is partly shipped until nothing is left.

    `OrderNotFound`, `CannotMove` when it is not paid, was paid back or cancelled, `CannotShip` for more than is left.
    """
    due = await look(tx, id, hold=True)
    _may_go(due, OrderStatus.SHIPPED)
    lines = [(row["position"], row["sku"], row["left"]) for row in await tx.rows(TO_SHIP, id)]
    left = {position: left for position, _, left in lines if left}
    sent = left if units is None else allotted(lines, units, CannotShip)
    whole = sum(sent.values()) == sum(left.values())
    now = clock.now()
    parcel = Shipment(ids.new(), now, carrier, tracking,
                      [ShippedLine(sku, sent[position]) for position, sku, _ in lines if position in sent])  # fmt: skip
    await tx.execute(SHIP, id, parcel.id, carrier, tracking, who, now, list(sent), list(sent.values()))
    await _move(tx, id, OrderStatus.SHIPPED if whole else OrderStatus.PARTIALLY_SHIPPED, who, tracking)
    news = OrderNews(id, due.number, carrier, tracking, parcel.lines)
    await jobs.events.publish(tx, "order.shipped", id, news)
    return parcel


async def pack(tx: Tx, id: UUID, who: str) -> None:
    """Note that a paid order is packed: its buyer cannot cancel it any more. `OrderNotFound`, `CannotMove`."""
    due = await look(tx, id, hold=True)
    _may_go(due, OrderStatus.PACKED)
    await _move(tx, id, OrderStatus.PACKED, who, "")


async def deliver(tx: Tx, id: UUID, who: str) -> None:
    """Note that everything arrived. `OrderNotFound`, `CannotMove`."""
    due = await look(tx, id, hold=True)
    if due.status not in before(OrderStatus.DELIVERED):
        raise CannotMove(status=due.status, wanted=OrderStatus.DELIVERED)
    await _move(tx, id, OrderStatus.DELIVERED, who, "")
    await jobs.events.publish(tx, "order.delivered", id, OrderNews(id, due.number))


def _may_go(due: Payment, wanted: OrderStatus) -> None:
    if due.status not in before(wanted):
        raise CannotMove(status=due.status, wanted=wanted)
    if due.state == "refunded" and due.total.amount and due.status in (OrderStatus.PAID, OrderStatus.PACKED):
        raise CannotMove(status="paid back", wanted=wanted)


async def _move(tx: Tx, id: UUID, status: OrderStatus, who: str, why: str) -> None:
    await tx.execute(MOVE, id, status.value, clock.now(), before(status), who, why)
