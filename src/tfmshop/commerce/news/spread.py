"""What happened becomes messages to endpoints and letters to buyers, once each."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import orders
from tfmshop.commerce.news.endpoints import ToDeliver
from tfmshop.commerce.news.errors import NewsNotKnown
from tfmshop.commerce.news.letters import write
from tfmshop.commerce.news.model import LETTERS, TOPICS
from tfmshop.commerce.news.store import ADDRESS, KEEP_EVENT
from tfmshop.platform import codec, jobs
from tfmshop.platform.db import Tx
from tfmshop.platform.jobs.events import Event


async def spread(tx: Tx, subject: UUID, staff: str) -> list[Event]:
    """Spread everything that happened to a subject and was not spread yet; `staff` is who looks after the shelves.
    `NewsNotKnown` for what only a newer release can tell.
    """
    taken = await jobs.events.take(tx, subject)
    for event in taken:
        if event.topic not in TOPICS:
            raise NewsNotKnown(event.topic)
        await tx.execute(KEEP_EVENT, event.number, event.topic, event.subject, event.data, event.at)
        for row in await tx.rows(ADDRESS, event.number, subject, event.topic):
            await jobs.enqueue(tx, "news.deliver", ToDeliver(row["endpoint_id"], subject))
        if event.topic in LETTERS:
            await _tell_buyer(tx, event, LETTERS[event.topic])
        if event.topic == "order.edited" and codec.decode(event.data).get("readdressed"):
            await _tell_buyer(tx, event, "confirmation")
        if event.topic == "stock.low" and staff:
            await write(tx, f"event {event.number}", "low", staff, event.subject, event.data)
    return taken


async def _tell_buyer(tx: Tx, event: Event, kind: str) -> None:
    order, _ = await orders.load(tx, event.subject)
    await write(tx, f"event {event.number}", kind, order.email, event.subject, event.data)
