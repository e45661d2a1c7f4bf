"""When what must be done again and again, such as a backup, was done last."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from tfmshop.platform import clock
from tfmshop.platform.db import Query, Tx
from tfmshop.platform.observe.metrics import Gauge, Over

BACKUP = "backup"
DRILL = "drill"
"""A backup was restored, and was what had been copied."""
DONE_AT = Gauge("tfmshop_done_timestamp_seconds", "When something was done last that must be done again, since 1970.",
                "what", over=Over.MOST)  # fmt: skip
NOTE = Query(
    "platform.note_done",
    """
INSERT INTO platform.done (what, at) VALUES ($1, $2)
ON CONFLICT (what) DO UPDATE SET at = greatest(platform.done.at, $2)
""",
)
LAST = Query("platform.done", "SELECT what, at FROM platform.done")


async def note(tx: Tx, what: str, at: datetime) -> None:
    """Something was done at a moment."""
    await tx.execute(NOTE, what, at)


async def note_at(url: str, what: str) -> None:
    """Something was done now; nothing happens in a database whose schema is too old for such notes."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('platform.done')") is not None:
            await connection.execute(NOTE.sql, what, clock.now())
    finally:
        await connection.close()


async def measure(tx: Tx, *, wanted: bool) -> None:
    """Have the metric tell when each was done last; what is `wanted` and was never done, as of now."""
    found = {row["what"]: row["at"].timestamp() for row in await tx.rows(LAST)}
    for what in (BACKUP, DRILL) if wanted else ():
        if what not in found and not DONE_AT.of(what).value:
            found[what] = clock.now().timestamp()
    for what, at in found.items():
        DONE_AT.of(what).set(at)
