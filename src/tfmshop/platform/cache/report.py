"""What each web process says of its cache, so that one command sees them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from heapq import nlargest
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.platform import clock, codec
from tfmshop.platform.cache.cache import WARM, Cache
from tfmshop.platform.cache.redis import Redis
from tfmshop.platform.cache.tally import Tally
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Query, Tx

RECENT: Final = timedelta(seconds=15)
"""Who said nothing for so long is not there any more."""
MOST_KEYS: Final = 200

TELL = Query(
    "platform.tell_cache",
    """
WITH gone AS (DELETE FROM platform.cache_report WHERE at < $2::timestamptz - $4::interval)
INSERT INTO platform.cache_report (process, at, report) VALUES ($1, $2, $3::text::jsonb)
ON CONFLICT (process) DO UPDATE SET at = $2, report = $3::text::jsonb
""",
)
READ = Query(
    "platform.cache_reports",
    "SELECT report::text FROM platform.cache_report WHERE at > $1::timestamptz - $2::interval ORDER BY process",
)
STALE = Query("platform.stale", "SELECT platform.stale($1)")


class Kept(msgspec.Struct, frozen=True):
    """A key in memory: how often it was handed out, its bytes, and for how many more seconds it is fresh."""

    key: str
    kind: str
    hits: int
    bytes: int
    fresh_seconds: float
    tags: list[str]


class Report(msgspec.Struct, frozen=True):
    """What one process says: `sure` is whether it hears of changes, `redis` whether it uses Redis, `warming` whether it
    makes what was asked for most.
    """

    entries: int
    bytes: int
    evicted: int
    sure: bool
    redis: bool
    redis_failures: int
    kinds: dict[str, Tally]
    keys: list[Kept]
    warming: bool = False


def of(cache: Cache, redis: Redis) -> Report:
    """The report of this process."""
    now = monotonic()
    kept = [
        Kept(one.key, one.kind.name, one.hits, one.size, round(one.fresh_until - now, 1), sorted(one.tags))
        for one in nlargest(MOST_KEYS, cache.memory, key=lambda entry: entry.hits)
    ]
    memory = cache.memory
    return Report(len(memory), memory.bytes, memory.evicted, cache.sure, redis.usable, redis.failures,
                  cache.tallies, kept, cache.warming > 0)  # fmt: skip


async def tell(tx: Tx, process: UUID, report: Report) -> None:
    """Put a report where commands find it."""
    await tx.execute(TELL, process, clock.now(), codec.encode_text(report), RECENT)


async def told(tx: Tx, recent: timedelta = RECENT) -> list[Report]:
    """The reports of the processes that are there, which told within `recent` (by the clocks of both machines)."""
    return [codec.decode_as(row["report"], Report) for row in await tx.rows(READ, clock.now(), recent)]


async def warm(tx: Tx) -> None:
    """Have every process make what was asked for most."""
    await tx.execute(STALE, [WARM])


async def clear(tx: Tx, tags: Iterable[str]) -> None:
    """Make stale what has one of these tags, in every process, when `tx` is committed."""
    await tx.execute(STALE, list(tags))


def are_warm(reports: Sequence[Report]) -> bool:
    """Whether there are pages, and every process hears of changes and makes no more of what was asked for most."""
    return any(one.entries for one in reports) and all(one.sure and not one.warming for one in reports)


def summed(reports: Iterable[Report]) -> dict[str, Tally]:
    """The numbers of all processes together, by kind."""
    total: dict[str, Tally] = {}
    for report in reports:
        for name, tally in report.kinds.items():
            total.setdefault(name, Tally()).add(tally)
    return dict(sorted(total.items()))
