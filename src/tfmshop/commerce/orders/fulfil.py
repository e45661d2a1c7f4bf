"""Sending what was bought, a parcel at a time, and its arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from tfmshop.commerce.orders.browse import load
from tfmshop.commerce.orders.editing import note, take_off
from tfmshop.commerce.orders.errors import CannotMove, CannotShip
from tfmshop.commerce.orders.events import OrderNews
from tfmshop.commerce.orders.model import OrderStatus, Shipment, ShippedLine, allotted, before
from tfmshop.commerce.orders.paying import Payment, look
from tfmshop.commerce.orders.returns import CameBack, note_back
from tfmshop.commerce.orders.store import MOVE, SHIP, TO_SHIP
from tfmshop.commerce.orders.store_editing import INVOICE, TO_LOWER
from tfmshop.commerce.orders.store_returns import NOT_SENT
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Tx


async def ship(tx: Tx, id: UUID, units: Mapping[str, int] | None, *, carrier: str, tracking: str, who: str) -> Shipment:
    """Send units by SKU, or all that is left without `units`. The order is partly shipped until nothing is left.

    `OrderNotFound`, `CannotMove` when it is not paid, was paid back or cancelled, or its money was not
    taken yet; `CannotShip` for more than is left.
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


async def cancel_rest(tx: Tx, id: UUID, *, who: str, why: str) -> CameBack:
    """Send nothing more of a partly shipped order: it is shipped as it is; units left, by variant, and their worth.

    The caller gives both back. What was not sent goes off the order, unless its invoice or a return has it: then it is
    noted as come back. One that was paid back as a whole stays so, and only its units are given back. `OrderNotFound`,
    `CannotMove` when nothing is left to be sent, nothing was sent yet, or its money was not taken yet.
    """
    due = await look(tx, id, hold=True)
    rows = await tx.rows(NOT_SENT, id)
    closed = due.status == OrderStatus.REFUNDED and any(row["sent"] for row in rows)
    if not rows or not (closed or due.status == OrderStatus.PARTIALLY_SHIPPED):
        raise CannotMove(status=due.status, wanted=OrderStatus.SHIPPED)
    _must_be_taken(due, OrderStatus.SHIPPED)
    order, _ = await load(tx, id)
    if closed or await tx.row(INVOICE, id) is not None or any(row["returned"] for row in rows):
        rest = await note_back(tx, id, f"rest {id}", rows, restock=True)
    else:
        less = {row["position"]: row["quantity"] for row in rows}
        lowered = await take_off(tx, order, await tx.rows(TO_LOWER, id), less)
        rest = CameBack(id, lowered.units, lowered.amount)
    if closed:
        await note(tx, id, who, why)
        return replace(rest, amount=0)
    await _move(tx, id, OrderStatus.SHIPPED, who, why)
    return rest


def _may_go(due: Payment, wanted: OrderStatus) -> None:
    if due.status not in before(wanted):
        raise CannotMove(status=due.status, wanted=wanted)
    if due.state == "refunded" and due.total.amount and due.status in (OrderStatus.PAID, OrderStatus.PACKED):
        raise CannotMove(status="paid back", wanted=wanted)
    if wanted != OrderStatus.PACKED:
        _must_be_taken(due, wanted)


def _must_be_taken(due: Payment, wanted: OrderStatus) -> None:
    if due.state == "authorized" and due.total.amount:
        raise CannotMove(status="not paid for yet (the job runner takes the money)", wanted=wanted)


async def _move(tx: Tx, id: UUID, status: OrderStatus, who: str, why: str) -> None:
    await tx.execute(MOVE, id, status.value, clock.now(), before(status), who, why)
