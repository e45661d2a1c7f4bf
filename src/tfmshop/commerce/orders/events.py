"""News about orders: what hangs on it here, and what the world is told."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tfmshop.commerce.orders.model import ShippedLine
from tfmshop.commerce.vocabulary import Money


class OrderPaid(msgspec.Struct, frozen=True):
    """An order is paid: count its sales, and whatever else hangs on it."""

    order_id: UUID


class OrderNews(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the world is told of an order; which of these there are depends on the topic."""

    order_id: UUID
    number: str
    carrier: str = ""
    tracking: str = ""
    lines: list[ShippedLine] = []
    amount: Money | None = None
    return_id: UUID | None = None
    refund_id: UUID | None = None
    why: str = ""
    readdressed: bool = False
