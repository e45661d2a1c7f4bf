"""What is told, to whom, and how."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

TOPICS: Final = (
    "order.paid", "order.edited", "order.cancelled", "order.shipped", "order.delivered", "order.refunded",
    "order.refund_failed", "order.rest_cancelled", "order.return_asked", "order.return_received",
    "order.return_refused", "stock.low",
)  # fmt: skip
"""Everything the shop tells."""
LETTERS: Final = {
    "order.paid": "confirmation",
    "order.shipped": "shipped",
    "order.refunded": "refunded",
    "order.cancelled": "cancelled",
    "order.rest_cancelled": "rest",
}
"""Which letter a buyer gets for which news."""
GIVE_UP: Final = timedelta(days=3)
"""How long a receiver may fail before the next message of the same order goes ahead."""


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program that is told: the topics it wants (none: all), and its secret, only in the answer that made it."""

    id: UUID
    url: str
    topics: list[str]
    active: bool
    created_at: datetime
    secret: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """A message to an endpoint: `waiting`, `delivered` or `given_up`; `answer` is what its receiver said last."""

    endpoint_id: UUID
    event: int
    topic: str
    subject: UUID
    status: str
    attempts: int
    answer: str
    happened_at: datetime
    changed_at: datetime


class Message(msgspec.Struct, frozen=True):
    """The body of a webhook, as Standard Webhooks has it."""

    type: str
    timestamp: datetime
    data: msgspec.Raw
