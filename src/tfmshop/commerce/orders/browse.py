"""Reading orders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.orders.errors import OrderNotFound
from tfmshop.commerce.orders.model import MOVED_IN, Addresses, Discount, Event, GivenBack, Order, OrderLine, Shipment
from tfmshop.commerce.orders.store import (
    BOUGHT,
    FIND,
    FIND_BY_NUMBER,
    ID_OF,
    LIST_OWN,
    LIST_OWN_BY_STATUS,
    LOAD,
)
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import codec, cursors
from tfmshop.platform.db import Row, Tx


class OrderList(msgspec.Struct, frozen=True):
    """A page of one's own orders, newest first."""

    items: list[Order]
    next_cursor: str | None


class Bought(msgspec.Struct, frozen=True):
    """What a customer bought in one currency: orders that were paid and not cancelled, and what was taken for them less
    what went back.
    """

    orders: int
    spent: Money
    first_at: datetime
    last_at: datetime


class Statistics(msgspec.Struct, frozen=True):
    """What a customer bought, by currency."""

    items: list[Bought]


async def statistics(tx: Tx, customer_id: UUID) -> Statistics:
    """What a customer bought so far."""
    rows = await tx.rows(BOUGHT, customer_id, MOVED_IN)
    return Statistics(
        [Bought(row["orders"], Money(row["spent"], row["currency"]), row["first_at"], row["last_at"]) for row in rows]
    )


async def find(tx: Tx, key: UUID | str, *, customer_id: UUID | None, token_hash: bytes | None) -> Order:
    """The caller's order with that id or number. `OrderNotFound`, also when it is someone else's."""
    query = FIND if isinstance(key, UUID) else FIND_BY_NUMBER
    return _found(await tx.row(query, key, customer_id, token_hash)).seen_by(customer_id)


async def load(tx: Tx, id: UUID) -> tuple[Order, UUID | None]:
    """Any order and whose it is, for the shop's own use. `OrderNotFound`."""
    row = await tx.row(LOAD, id)
    return _found(row), row["customer_id"] if row else None


async def own(tx: Tx, customer_id: UUID, *, status: str | None, cursor: str | None, limit: int) -> OrderList:
    """A page of a customer's orders, newest first. `BadCursor`."""
    at, id = cursors.moment_and_id(cursor) if cursor else cursors.AFTER_ALL
    if status is None:
        rows = await tx.rows(LIST_OWN, customer_id, at, id, limit + 1)
    else:
        rows = await tx.rows(LIST_OWN_BY_STATUS, customer_id, at, id, limit + 1, status)
    items = [_order(row).seen_by(customer_id) for row in rows[:limit]]
    more = cursors.seal(items[-1].placed_at, items[-1].id) if len(rows) > limit else None
    return OrderList(items, more)


async def id_of(tx: Tx, number: str) -> UUID:
    """The id of the order with a number, for staff. `OrderNotFound`."""
    found = await tx.value(ID_OF, number)
    if found is None:
        raise OrderNotFound
    return UUID(int=found.int)


def _found(row: Row | None) -> Order:
    if row is None:
        raise OrderNotFound
    return _order(row)


def _order(row: Row) -> Order:
    currency = row["currency"]

    def money(name: str) -> Money:
        return Money(row[name], currency)

    return Order(
        row["id"], row["number"], row["status"], row["payment_status"], codec.decode_as(row["lines"], list[OrderLine]),
        money("subtotal"), money("discount"), money("shipping"), money("tax"), money("tax_included"), money("total"),
        codec.decode_as(row["discounts"], list[Discount]), row["shipping_method"], row["email"],
        Addresses(codec.decode_as(row["address"], Address)), row["placed_at"],
        codec.decode_as(row["history"], list[Event]), codec.decode_as(row["shipments"], list[Shipment]),
        codec.decode_as(row["refunds"], list[GivenBack]) if row["refunds"] else [],
    )  # fmt: skip
