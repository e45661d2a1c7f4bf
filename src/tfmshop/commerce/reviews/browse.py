"""Reading reviews."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.reviews.store import ANONYMOUS, OF_CUSTOMER, PUBLISHED, WAITING
from tfmshop.platform import cursors
from tfmshop.platform.db import Tx

_NEWEST: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=(1 << 128) - 1))


class Review(msgspec.Struct, frozen=True):
    """What one buyer says of a product; `status` is pending, published or refused."""

    id: UUID
    product_id: UUID
    author: str
    rating: int
    title: str
    body: str
    status: str
    created_at: datetime


class Page(msgspec.Struct, frozen=True):
    """Reviews, newest first."""

    items: list[Review]
    next_cursor: str | None


async def published(tx: Tx, product_id: UUID, cursor: str | None, limit: int) -> Page:
    """The published reviews of a product. `BadCursor`."""
    at, id = cursors.unseal(cursor, tuple[datetime, UUID]) if cursor else _NEWEST
    rows = await tx.rows(PUBLISHED, product_id, at, id, limit + 1)
    items = [Review(*row) for row in rows[:limit]]
    more = cursors.seal(items[-1].created_at, items[-1].id) if len(rows) > limit else None
    return Page(items, more)


async def of_customer(tx: Tx, customer: UUID) -> list[Review]:
    """Everything that a customer wrote, oldest first."""
    return [Review(*row) for row in await tx.rows(OF_CUSTOMER, customer)]


async def erase(tx: Tx, customer: UUID) -> None:
    """Take a customer's name off what they wrote; what they thought of the product stays."""
    await tx.execute(ANONYMOUS, customer)


async def waiting(tx: Tx, limit: int) -> list[Review]:
    """Reviews that nobody looked at yet, oldest first."""
    return [Review(*row) for row in await tx.rows(WAITING, limit)]
