"""Programs that want to be told: adding them, looking at what they were sent, sending it again."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.news.errors import EndpointNotFound, TooManyEndpoints, UnknownTopic
from tfmshop.commerce.news.model import TOPICS, Delivery, Endpoint
from tfmshop.commerce.news.store import (
    ADD_ENDPOINT,
    ASK_AGAIN,
    DELIVERIES,
    DROP_ENDPOINT,
    ENDPOINTS,
    FIND_ENDPOINT,
    HOLD_ENDPOINT,
    HOLD_ENDPOINTS,
    REPLAY,
    SWITCH_ENDPOINT,
)
from tfmshop.commerce.vocabulary import kept
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Tx
from tfmshop.platform.outgoing import Outgoing

NEWEST: Final = 2**63 - 1
MOST_ENDPOINTS: Final = 100
"""Each thing that happens is a delivery to each of them."""


class ToDeliver(msgspec.Struct, frozen=True):
    """News of a subject that waits for an endpoint."""

    endpoint_id: UUID
    subject: UUID


async def add(tx: Tx, outgoing: Outgoing, url: str, topics: Sequence[str]) -> Endpoint:
    """Tell a program of topics, of all without any; its secret is in this answer only.

    `UnknownTopic`, `NotAllowedThere`, `TooManyEndpoints`.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise UnknownTopic(topic=topic[:50], topics=", ".join(TOPICS))
    outgoing.check(url)
    secret = ids.secret(32)
    endpoint = Endpoint(ids.new(), url, sorted(set(topics)), True, clock.now(), f"whsec_{_text(secret)}")
    await tx.value(HOLD_ENDPOINTS)
    given = (endpoint.id, url, endpoint.topics, secret, endpoint.created_at)
    if not await tx.execute(ADD_ENDPOINT, *given, MOST_ENDPOINTS):
        raise TooManyEndpoints(most=MOST_ENDPOINTS)
    return endpoint


async def listed(tx: Tx) -> list[Endpoint]:
    """Every endpoint, oldest first, without its secret."""
    return [Endpoint(*row) for row in await tx.rows(ENDPOINTS)]


async def find(tx: Tx, id: UUID, *, hold: bool = False) -> Endpoint:
    """An endpoint, without its secret; with `hold` it stays so until the end of `tx`. `EndpointNotFound`."""
    row = await tx.row(HOLD_ENDPOINT if hold else FIND_ENDPOINT, id)
    if row is None:
        raise EndpointNotFound
    return Endpoint(*row)


async def remove(tx: Tx, id: UUID) -> None:
    """Tell a program no more, and forget what it was told. `EndpointNotFound`."""
    if not await tx.execute(DROP_ENDPOINT, id):
        raise EndpointNotFound


async def switch(tx: Tx, id: UUID, *, active: bool) -> Endpoint:
    """Tell a program nothing for a while, or tell it again, first of all what waited meanwhile. `EndpointNotFound`."""
    row = await tx.row(SWITCH_ENDPOINT, id, active)
    if row is None:
        raise EndpointNotFound
    if active:
        for subject in {waiting["subject"] for waiting in await tx.rows(ASK_AGAIN, id)}:
            await jobs.enqueue(tx, "news.deliver", ToDeliver(id, subject))
    return Endpoint(*row)


async def deliveries(
    tx: Tx, id: UUID, *, limit: int, before: int | None = None, status: str | None = None
) -> list[Delivery]:
    """What an endpoint was sent, newest first, from before an event on. `EndpointNotFound`."""
    await find(tx, id)
    rows = await tx.rows(DELIVERIES, id, NEWEST if before is None else before, limit, status)
    return [Delivery(*row) for row in rows]


async def replay(tx: Tx, id: UUID, *, event: int | None = None, since: datetime | None = None) -> int:
    """Send an event again, or all that happened since a moment; how many. `EndpointNotFound`."""
    await find(tx, id)
    since = since and kept(since)
    rows = await tx.rows(REPLAY, id, event, since)
    for subject in {row["subject"] for row in rows}:
        await jobs.enqueue(tx, "news.deliver", ToDeliver(id, subject))
    return len(rows)


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()
