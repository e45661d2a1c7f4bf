"""What migrations would hold up: they run on a copy of the database, and its locks are looked at meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg
import msgspec

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import migrate
from tfmshop.platform.db.query import Query

LOOK_SECONDS: Final = 0.005
"""How often somebody looks: shorter locks hold nobody up."""
STRONG: Final = Query(
    "db.strong_locks",
    """
SELECT format('%I.%I', n.nspname, c.relname) AS table, l.mode
FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid AND l.granted
    JOIN pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'v', 'm')
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.application_name = $1 AND a.datname = current_database() AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND c.relname <> 'alembic_version'
""",
)


class Lock(msgspec.Struct, frozen=True):
    """A lock that others would have waited for: for writes, or for reads as well; seconds that it was held."""

    table: str
    stops: str
    seconds: float


class Step(msgspec.Struct, frozen=True):
    """A revision: seconds that it took, and its locks, the longest first."""

    revision: str
    seconds: float
    locks: list[Lock]


@dataclass(slots=True)
class _Seen:
    """A lock that was seen, while which revision ran, first and last."""

    number: int
    table: str
    mode: str
    first: float
    last: float


async def rehearse(copy_url: str) -> list[Step]:
    """Migrate a copy to the newest revision, and tell what each revision held. `CannotMigrate`."""
    done: list[str] = []
    seen: list[_Seen] = []
    moments = [monotonic()]
    watching = asyncio.create_task(_watch(copy_url, done, seen, moments))
    try:
        await migrate.upgrade(copy_url, done=done)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    moments += [monotonic()] * (len(done) + 1 - len(moments))
    return [
        Step(revision, round(moments[n + 1] - moments[n], 3), _locks([one for one in seen if one.number == n]))
        for n, revision in enumerate(done)
    ]


def _locks(seen: list[_Seen]) -> list[Lock]:
    longest: dict[tuple[str, str], float] = {}
    for one in seen:
        key = (one.table, "reads and writes" if one.mode == "AccessExclusiveLock" else "writes")
        longest[key] = max(longest.get(key, 0.0), one.last - one.first + LOOK_SECONDS)
    found = [Lock(table, stops, round(seconds, 3)) for (table, stops), seconds in longest.items()]
    return sorted(found, key=lambda lock: -lock.seconds)


async def _watch(url: str, done: list[str], seen: list[_Seen], moments: list[float]) -> None:
    """Note each lock as long as it is seen; a revision is done a moment before its locks are gone."""
    connection = await asyncpg.connect(url, timeout=10)
    held: dict[tuple[str, str], _Seen] = {}
    try:
        while True:
            rows, now, before = await connection.fetch(STRONG.sql, migrate.NAME), monotonic(), held
            held = {}
            for row in rows:
                key = (row["table"], row["mode"])
                if key in before:
                    held[key] = before[key]
                else:
                    held[key] = _Seen(len(done), *key, now, now)
                    seen.append(held[key])
                held[key].last = now
            moments += [now] * (len(done) + 1 - len(moments))
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()
