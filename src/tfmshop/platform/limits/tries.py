"""Tries in a sliding window, and blocks that end by themselves, in PostgreSQL: exact, whoever asks, Redis or not.

Each try costs a hash of a password or the like, so a row for it costs nothing in comparison; tries that are refused
only read (decisions/0024-tries-in-postgresql.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec

from tfmshop.platform import clock
from tfmshop.platform.db import Query, Tx
from tfmshop.platform.errors import Kind, ShopError

FIRST_BLOCK: Final = timedelta(minutes=15)
LONGEST_BLOCK: Final = timedelta(hours=24)
"""A block that follows another within a day lasts twice as long, up to this."""

TAKE = Query("platform.take_try", "SELECT refused, until FROM platform.take_try($1, $2, $3, $4, $5)")
NOTE = Query("platform.note_try", "SELECT platform.note_try($1, $2, $3, $4)")
GIVE_BACK = Query(
    "platform.give_back_try",
    """
WITH held AS MATERIALIZED (SELECT key FROM platform.tries WHERE key = ANY($1) ORDER BY key FOR UPDATE)
UPDATE platform.tries AS t SET at = array_remove(t.at, $2) FROM held WHERE t.key = held.key
""",
)
BLOCK = Query(
    "platform.block",
    """
INSERT INTO platform.block AS b (key, until, strikes, why, since)
VALUES ($1, $2::timestamptz + $3::interval, 1, $5, $2)
ON CONFLICT (key) DO UPDATE SET since = $2, why = $5,
    strikes = CASE WHEN b.until < $2 - $4::interval THEN 1 ELSE b.strikes + 1 END,
    until = $2 + CASE WHEN b.until < $2 - $4::interval THEN $3
                      ELSE least($4, $3 * power(2, least(b.strikes, 20))) END
WHERE b.until <= $2
RETURNING key, until, strikes, why, since
""",
)
BLOCKS = Query(
    "platform.blocks", "SELECT key, until, strikes, why, since FROM platform.block WHERE until > $1 ORDER BY until DESC"
)
LIFT = Query(
    "platform.lift_block",
    """
WITH calm AS (DELETE FROM platform.suspicion WHERE 'all:' || key = $1),
fresh AS (DELETE FROM platform.tries WHERE key = $1)
DELETE FROM platform.block WHERE key = $1 AND until > $2
""",
)
FORGET = Query(
    "platform.forget_tries",
    """
WITH old AS (DELETE FROM platform.block WHERE until < $1::timestamptz - $2::interval),
calm AS (DELETE FROM platform.suspicion WHERE at < $1::timestamptz - $2::interval)
DELETE FROM platform.tries WHERE forget_at < $1
""",
)


class TooManyTries(
    ShopError, kind=Kind.TOO_MANY, code="too_many_tries", says="Too many tries. Try again in {retry_after} seconds."
):
    """Whoever asks has no try left for a while."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many tries a key has in any span of time."""

    key: str
    most: int
    span: timedelta


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which allowance is used up, and until when."""

    allowance: Allowance
    until: datetime

    def error(self) -> TooManyTries:
        """What to tell whoever asks."""
        return TooManyTries(max(1, ceil((self.until - clock.now()).total_seconds())))


class Block(msgspec.Struct, frozen=True):
    """Somebody who is kept out, how often in a row, and why."""

    key: str
    until: datetime
    strikes: int
    why: str
    since: datetime


async def take(
    tx: Tx, allowances: Sequence[Allowance], now: datetime, looked_at: Sequence[Allowance] = ()
) -> Refusal | None:
    """One try of every allowance, or of none; the first in order that has none left, or is blocked, those first that
    are only `looked_at`.
    """
    every = [*looked_at, *allowances]
    keys, most, spans = _columns(every)
    row = await tx.row(TAKE, keys, most, spans, len(looked_at) + 1, now)
    if row is None or row["refused"] is None:
        return None
    return Refusal(every[row["refused"] - 1], row["until"])


async def note(tx: Tx, allowances: Sequence[Allowance], now: datetime) -> list[int]:
    """Count a try of every allowance, used up or not; how many count now, never more than it allows."""
    keys, most, spans = _columns(allowances)
    return list(await tx.value(NOTE, keys, spans, most, now))


async def give_back(tx: Tx, allowances: Sequence[Allowance], taken: datetime) -> None:
    """Undo a try that was taken at that moment: it was a good one."""
    await tx.execute(GIVE_BACK, [one.key for one in allowances], taken)


async def block(tx: Tx, key: str, why: str, now: datetime) -> Block | None:
    """Keep a key out for a while, longer each time; None when it is blocked already."""
    row = await tx.row(BLOCK, key, now, FIRST_BLOCK, LONGEST_BLOCK, why)
    return Block(*row) if row else None


async def blocks(tx: Tx) -> list[Block]:
    """Who is kept out now, the longest first."""
    return [Block(*row) for row in await tx.rows(BLOCKS, clock.now())]


async def lift(tx: Tx, key: str) -> bool:
    """Let a key in again, with nothing held against it; whether it was kept out."""
    return bool(await tx.execute(LIFT, key, clock.now()))


async def forget(tx: Tx) -> None:
    """Drop tries that count no more, and blocks that ended a day ago."""
    await tx.execute(FORGET, clock.now(), LONGEST_BLOCK)


def _columns(allowances: Sequence[Allowance]) -> tuple[list[str], list[int], list[timedelta]]:
    return [one.key for one in allowances], [one.most for one in allowances], [one.span for one in allowances]
