"""Idempotency keys: an effect happens once, and its answer is given again byte for byte.

The key's row is written in the transaction of the effect. Its `subject` is the thing that the request makes, so that
a request which a crash cut off between two transactions can be taken up again. The lease says until when another
sender must wait for the one that is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tfmshop.platform.db import Query, Row, Tx
from tfmshop.platform.errors import Kind, ShopError

BEGIN = Query(
    "platform.begin_key",
    """
WITH guard AS MATERIALIZED (
    SELECT a.*, pg_try_advisory_xact_lock(hashtextextended(a.scope || ' ' || a.key, 0)) AS mine
    FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) WITH ORDINALITY
        AS a(scope, key, fingerprint, subject, nth)
), fresh AS (
    INSERT INTO platform.idempotency_key (scope, key, fingerprint, subject, leased_until)
    SELECT scope, key, fingerprint, subject, now() + $5 FROM guard WHERE mine
    ON CONFLICT (scope, key) DO NOTHING
    RETURNING subject
)
SELECT f.subject IS NOT NULL AS fresh, k.fingerprint, k.subject, k.status, k.body, k.leased_until > now() AS leased
FROM guard AS g
LEFT JOIN fresh AS f ON f.subject = g.subject
LEFT JOIN LATERAL (
    SELECT i.fingerprint, i.subject, i.status, i.body, i.leased_until FROM platform.idempotency_key AS i
    WHERE g.mine AND i.scope = g.scope AND i.key = g.key OFFSET 0
) AS k ON true
ORDER BY g.nth
""",
)
TAKE_OVER = Query(
    "platform.take_over_key",
    """
UPDATE platform.idempotency_key SET leased_until = now() + $3
WHERE scope = $1 AND key = $2 AND status IS NULL AND leased_until <= now()
RETURNING subject
""",
)
END_LEASE = Query(
    "platform.end_lease",
    """
UPDATE platform.idempotency_key SET leased_until = now() WHERE scope = $1 AND key = $2 AND status IS NULL
""",
)
REMEMBER = Query("platform.remember_answer", "SELECT platform.remember_answer($1, $2, $3, $4)")
FORGET_OLD = Query(
    "platform.forget_old_keys",
    """
DELETE FROM platform.idempotency_key WHERE created_at < now() - $1::interval
""",
)


class KeyReused(
    ShopError,
    kind=Kind.INVALID,
    code="idempotency_key_reused",
    says="This Idempotency-Key was used with another request.",
):
    """The same key came with a different body."""


class StillRunning(
    ShopError,
    kind=Kind.CONFLICT,
    code="request_in_progress",
    says="A request with this Idempotency-Key is being worked on.",
):
    """Another request with the key has not ended yet."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as one caller uses it on one route; `fingerprint` is a digest of the request's body."""

    scope: str
    value: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: a status and the exact bytes."""

    status: int
    body: bytes
    replayed: bool = False


Begun = Answer | UUID | KeyReused | StillRunning | None
"""What became of claiming a key; see `begin`."""


async def begin(tx: Tx, claims: Sequence[tuple[Key, UUID]], lease: timedelta) -> list[Begun]:
    """Claim keys, all different, each for a subject, in this transaction.

    For each: None when it is new, go on. An `Answer` when it ended before, give that. A UUID when a crash left that
    subject unfinished, and it is ours to finish. `KeyReused` or `StillRunning` otherwise.
    """
    rows = await tx.rows(
        BEGIN, [key.scope for key, _ in claims], [key.value for key, _ in claims],
        [key.fingerprint for key, _ in claims], [subject for _, subject in claims], lease,
    )  # fmt: skip
    return [await _begun(tx, row, key, lease) for row, (key, _) in zip(rows, claims, strict=True)]


async def _begun(tx: Tx, row: Row, key: Key, lease: timedelta) -> Begun:
    if row["fresh"]:
        return None
    if row["fingerprint"] is None:
        return StillRunning()
    if row["fingerprint"] != key.fingerprint:
        return KeyReused()
    if row["status"] is not None:
        return Answer(row["status"], row["body"], replayed=True)
    taken: UUID | None = None if row["leased"] else await tx.value(TAKE_OVER, key.scope, key.value, lease)
    return taken or StillRunning()


async def remember(tx: Tx, key: Key, answer: Answer) -> None:
    """Keep the answer of an effect that this transaction did not make itself."""
    await tx.value(REMEMBER, key.scope, key.value, answer.status, answer.body)


async def end_lease(tx: Tx, key: Key) -> None:
    """Let the next sender of the key go on at once: we gave up without knowing the outcome."""
    await tx.execute(END_LEASE, key.scope, key.value)


async def forget_old(tx: Tx, age: timedelta) -> int:
    """Drop keys older than `age`; how many."""
    return await tx.execute(FORGET_OLD, age)
