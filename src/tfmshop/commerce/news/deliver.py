"""Bringing a message to its receiver, those of one subject in their order, each at least once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

from tfmshop.commerce.news.errors import NotDelivered
from tfmshop.commerce.news.model import GIVE_UP, Message
from tfmshop.commerce.news.store import CLAIM, DONE, LEASED
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Database, Row
from tfmshop.platform.outgoing import NoReply, NotAllowedThere, Outgoing
from tfmshop.platform.security.webhooks import signed

LEASE: Final = timedelta(seconds=30)
"""Longer than a receiver may take: whoever died over a message does not hold it for long."""
POLL_SECONDS: Final = 0.5
KEPT_OF_ANSWER: Final = 200


async def deliver(db: Database, outgoing: Outgoing, endpoint_id: UUID, subject: UUID) -> None:
    """Deliver what waits for an endpoint about a subject, oldest first. `NotDelivered` when it must be tried again.

    Nothing is sent to an endpoint that is switched off: it waits. Where another job is at it, this one stays until that
    is done: the other may be of a runner that was killed, and then nobody else would go on.
    """
    while True:
        async with db.tx() as tx:
            due = await tx.row(CLAIM, endpoint_id, subject, LEASE)
            is_leased = due is None and await tx.value(LEASED, endpoint_id, subject)
        if is_leased:
            await asyncio.sleep(POLL_SECONDS)
            continue
        if due is None:
            return
        why = await _refused(outgoing, due)
        given_up = why is not None and clock.now() - due["asked_at"] > GIVE_UP
        status = "delivered" if why is None else "given_up" if given_up else "waiting"
        async with db.tx() as tx:
            await tx.execute(DONE, endpoint_id, due["number"], status, (why or "ok")[:KEPT_OF_ANSWER])
        if status == "waiting":
            raise NotDelivered(why=why or "")


async def _refused(outgoing: Outgoing, due: Row) -> str | None:
    """Why a message was not taken; None when it was."""
    body = codec.encode(Message(due["topic"], due["at"], codec.as_is(due["data"])))
    headers = signed(f"evt_{due['number']}", clock.now(), body, due["secret"])
    try:
        reply = await outgoing.post(due["url"], body, {**headers, "content-type": "application/json"})
    except (NoReply, NotAllowedThere) as error:
        return str(error)
    return None if 200 <= reply.status < 300 else f"it answered {reply.status}"
