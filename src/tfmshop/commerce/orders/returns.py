"""Goods that come back: a buyer asks, staff receive or refuse. What they were worth is told to whoever pays it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.orders.errors import CannotReturn, ReturnDecided, ReturnNotFound
from tfmshop.commerce.orders.events import OrderNews
from tfmshop.commerce.orders.model import ShippedLine, allotted, worth
from tfmshop.commerce.orders.paying import look
from tfmshop.commerce.orders.store_returns import (
    ASK,
    COMING_BACK,
    DECIDE,
    FIND_RETURN,
    NOTE_RETURNED,
    RETURNS_ASKED,
    RETURNS_OF,
    RETURNS_OF_CUSTOMER,
    TO_RETURN,
)
from tfmshop.platform import clock, codec, ids, jobs
from tfmshop.platform.db import Row, Tx


class Return(msgspec.Struct, frozen=True):
    """Units of an order that shall come back: `asked`, `received` or `refused`, with the shop's `answer`."""

    id: UUID
    order_id: UUID
    number: str
    status: str
    why: str
    answer: str
    asked_at: datetime
    decided_at: datetime | None
    lines: list[ShippedLine]


@dataclass(frozen=True, slots=True)
class CameBack:
    """What was received: units by variant, and what the buyer paid for them in minor units."""

    order_id: UUID
    units: dict[UUID, int]
    amount: int


async def ask(tx: Tx, order_id: UUID, units: Mapping[str, int], *, who: str, why: str) -> Return:
    """Ask to send units back, by SKU. `OrderNotFound`, `CannotReturn` for more than was sent and not asked for yet."""
    due = await look(tx, order_id, hold=True)
    lines = [(row["position"], row["sku"], row["left"]) for row in await tx.rows(TO_RETURN, order_id)]
    wanted = allotted(lines, units, CannotReturn)
    id = ids.new()
    await tx.execute(ASK, id, order_id, who, why, clock.now(), list(wanted), list(wanted.values()))
    asked = await find(tx, id)
    news = OrderNews(order_id, due.number, lines=asked.lines, return_id=id, why=why)
    await jobs.events.publish(tx, "order.return_asked", order_id, news)
    return asked


async def find(tx: Tx, id: UUID) -> Return:
    """A return, for staff. `ReturnNotFound`."""
    row = await tx.row(FIND_RETURN, id)
    if row is None:
        raise ReturnNotFound
    return _return(row)


async def of(tx: Tx, order_id: UUID) -> list[Return]:
    """The returns of an order, oldest first."""
    return [_return(row) for row in await tx.rows(RETURNS_OF, order_id)]


async def of_customer(tx: Tx, customer: UUID) -> list[Return]:
    """What a person asked to send back, the oldest first."""
    return [_return(row) for row in await tx.rows(RETURNS_OF_CUSTOMER, customer)]


async def asked(tx: Tx, limit: int) -> list[Return]:
    """Returns that wait for staff, oldest first."""
    return [_return(row) for row in await tx.rows(RETURNS_ASKED, limit)]


async def receive(tx: Tx, id: UUID, *, restock: bool, who: str, answer: str) -> CameBack:
    """Note that a return arrived; what came back and its worth. `ReturnNotFound`, `ReturnDecided`."""
    due = await find(tx, id)
    await look(tx, due.order_id, hold=True)
    await _decide(tx, due, "received", who, answer)
    return await note_back(tx, due.order_id, str(id), await tx.rows(COMING_BACK, id), restock=restock)


async def note_back(tx: Tx, order_id: UUID, reference: str, rows: Sequence[Row], *, restock: bool) -> CameBack:
    """Note units of an order as come back (rows of position, quantity, variant, bought, paid, before); their worth."""
    amounts = [worth(row["paid"], row["bought"], row["before"], row["quantity"]) for row in rows]
    await tx.execute(
        NOTE_RETURNED, reference, order_id, clock.now(), restock, [row["position"] for row in rows],
        [row["quantity"] for row in rows], amounts,
    )  # fmt: skip
    units: dict[UUID, int] = {}
    for row in rows:
        units[row["variant_id"]] = units.get(row["variant_id"], 0) + row["quantity"]
    return CameBack(order_id, units, sum(amounts))


async def refuse(tx: Tx, id: UUID, *, who: str, answer: str) -> None:
    """Say no to a return. `ReturnNotFound`, `ReturnDecided`."""
    due = await find(tx, id)
    await look(tx, due.order_id, hold=True)
    await _decide(tx, due, "refused", who, answer)


async def _decide(tx: Tx, due: Return, status: str, who: str, answer: str) -> None:
    if await tx.value(DECIDE, due.id, status, who, answer, clock.now()) is None:
        raise ReturnDecided(status=(await find(tx, due.id)).status)
    news = OrderNews(due.order_id, due.number, lines=due.lines, return_id=due.id, why=answer)
    await jobs.events.publish(tx, f"order.return_{status}", due.order_id, news)


def _return(row: Row) -> Return:
    seen = {name: row[name] for name in Return.__struct_fields__}
    return Return(**seen | {"lines": codec.decode_as(row["lines"], list[ShippedLine])})
