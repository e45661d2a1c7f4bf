"""What staff do with orders: list them, find those of somebody, write notes for each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.orders.errors import CannotEdit
from tfmshop.commerce.orders.paying import look
from tfmshop.commerce.orders.store_staff import (
    ADD_NOTE,
    LIST,
    LIST_BY_STATUS,
    LIST_OF_BUYER,
    LIST_OF_EMAIL,
    LIST_OF_NUMBER,
    NOTES,
)
from tfmshop.commerce.vocabulary import EARLIEST, kept
from tfmshop.platform import clock, cursors, ids
from tfmshop.platform.db import Query, Tx


@dataclass(frozen=True, slots=True)
class Head:
    """An order in a list for staff."""

    id: UUID
    number: str
    status: str
    payment_status: str
    total: int
    currency: str
    email: str
    placed_at: datetime


class Heads(msgspec.Struct, frozen=True):
    """A page of orders for staff."""

    items: list[Head]
    next_cursor: str | None


class Note(msgspec.Struct, frozen=True):
    """What somebody of the staff wrote down about an order; buyers never see it."""

    id: UUID
    at: datetime
    who: str
    text: str


class Notes(msgspec.Struct, frozen=True):
    """A page of notes, the newest first."""

    items: list[Note]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders: of a status; of a number, an e-mail address or an account's id, whole (`words`); placed from a
    moment on, and before another.
    """

    status: str | None = None
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None


async def listing(tx: Tx, wanted: Wanted, *, limit: int, cursor: str | None = None) -> Heads:
    """A page of orders, the newest first. `BadCursor`."""
    at, id = cursors.moment_and_id(cursor) if cursor else cursors.AFTER_ALL
    if wanted.until is not None and wanted.until <= at:
        at, id = kept(wanted.until), UUID(int=0)
    query, subject = _statement(wanted)
    rows = await tx.rows(query, limit + 1, at, id, kept(wanted.since or EARLIEST), *subject)
    items = [Head(*row) for row in rows[:limit]]
    more = cursors.seal(items[-1].placed_at, items[-1].id) if len(rows) > limit else None
    return Heads(items, more)


def _statement(wanted: Wanted) -> tuple[Query, tuple[object, ...]]:
    words = wanted.words.strip()
    if not words:
        return (LIST, ()) if wanted.status is None else (LIST_BY_STATUS, (wanted.status,))
    if "@" in words:
        return LIST_OF_EMAIL, (words.lower(), wanted.status)
    try:
        return LIST_OF_BUYER, (UUID(words), wanted.status)
    except ValueError:
        return LIST_OF_NUMBER, ([words, words.upper()], wanted.status)


async def note(tx: Tx, order_id: UUID, who: str, text: str) -> Note:
    """Write something down about an order, 1 to 2,000 characters. `OrderNotFound`, `CannotEdit` when its buyer was
    forgotten.
    """
    await look(tx, order_id, hold=True)
    written = Note(ids.new(), clock.now(), who, text)
    if not await tx.execute(ADD_NOTE, written.id, order_id, written.at, who, text):
        raise CannotEdit(why="its buyer was forgotten")
    return written


async def notes(tx: Tx, order_id: UUID, *, limit: int, cursor: str | None = None) -> Notes:
    """A page of what was written down about an order, the newest first. `BadCursor`."""
    at, id = cursors.moment_and_id(cursor) if cursor else cursors.AFTER_ALL
    items = [Note(*row) for row in await tx.rows(NOTES, order_id, at, id, limit + 1)]
    more = cursors.seal(items[limit - 1].at, items[limit - 1].id) if len(items) > limit else None
    return Notes(items[:limit], more)
