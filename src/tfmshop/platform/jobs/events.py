"""What happened: written in the transaction of the change, taken once by whoever spreads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tfmshop.platform import codec
from tfmshop.platform.db import Query, Truth, Tx

PUBLISH = Query("jobs.publish", "SELECT jobs.publish($1, $2, $3::text::jsonb)")
LOCK_SUBJECT = Query(
    "jobs.lock_subject", "SELECT pg_advisory_xact_lock(hashtextextended('event ' || $1::uuid::text, 0))"
)
TAKE = Query(
    "jobs.take_events",
    """
WITH taken AS (DELETE FROM jobs.event WHERE subject = $1 RETURNING number, topic, subject, data::text AS data, at)
SELECT * FROM taken ORDER BY number
""",
)
LEAVE_OUT = Query(
    "jobs.leave_out", "UPDATE jobs.event SET data = data - $2::text WHERE subject = ANY($1::uuid[]) AND data ? $2"
)
Truth("nothing that happened waits longer than ten minutes to be told", Query(
    "jobs.truth_events", "SELECT number FROM jobs.event WHERE at < now() - interval '10 minutes'"
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a subject; numbers of one subject rise. `data` is JSON."""

    number: int
    topic: str
    subject: UUID
    data: str
    at: datetime


async def publish(tx: Tx, topic: str, subject: UUID, data: object) -> None:
    """Write down what happened, in the transaction of the change; a job spreads it.

    The caller holds the subject's row, so that events of one subject come one after the other.
    """
    await tx.value(PUBLISH, topic, subject, codec.encode_text(data))


async def leave_out(tx: Tx, subjects: list[UUID], name: str) -> None:
    """Have what is not spread yet say nothing of that name."""
    await tx.execute(LEAVE_OUT, subjects, name)


async def take(tx: Tx, subject: UUID) -> list[Event]:
    """Everything that happened to a subject and was not taken yet, in its order; others wait for the end of `tx`."""
    await tx.value(LOCK_SUBJECT, subject)
    return [Event(*row) for row in await tx.rows(TAKE, subject)]
