"""Making the projection anew beside the one in use, and swapping the two: nobody waits, nothing is lost.

From the moment it begins, every change of a product is noted (see the triggers in the migration); a run fills the
second projection in small steps, and makes what changed anew (decisions/0011-flat-lists.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tfmshop.commerce.search.errors import NoSuchLanguage, ReindexTakenOver
from tfmshop.commerce.search.store import (
    BEGIN_SHADOW,
    CATCH_UP_SHADOW,
    DURABLY,
    FILL_SHADOW,
    HAS_LANGUAGE,
    SHADOW_COLUMNS,
    SHADOW_STATE,
    SWAP_SHADOW,
    TIDY_SHADOW,
)
from tfmshop.platform import ids
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Query, Tx, written
from tfmshop.platform.errors import TookTooLong

BATCH: Final = 5
"""Products a transaction: few, so that neither a writer of the same products nor a core waits for long."""
MOST: Final = 500
ROUNDS: Final = 1000
"""The largest step in which changes are caught up with, and how many such steps there are before the swap, which does
the rest while writers wait.
"""
ATTEMPTS: Final = 200
"""How often a swap is tried without making anybody wait; then it waits for its lock, and others for it."""
BUSY_SECONDS: Final = 0.02
LOCKED_OUT_SECONDS: Final = 1.0
"""The pauses between attempts: when somebody reads at that moment, and when a long transaction holds a lock."""
MOST_ATTEMPTS: Final = 30

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a reindex did; `resumed` when it went on with one that was cut off."""

    products: int
    resumed: bool


async def reindex(db: Database, language: str, progress: Progress, rest: float) -> Reindexed:
    """Make the projection anew in a language, with rests so many times as long as the work between them.

    Cut off, it goes on where it was.

    `NoSuchLanguage`; `ReindexTakenOver` when another one began meanwhile.
    """
    async with db.tx() as tx:
        if not await tx.value(HAS_LANGUAGE, language):
            raise NoSuchLanguage(language)

    run = ids.new()
    resumed = bool(await _patiently(db, BEGIN_SHADOW, language, run))
    done = await _fill(db, run, progress, rest)
    async with db.read() as tx:
        columns = [row["attname"] for row in await tx.rows(SHADOW_COLUMNS)]
    for column in columns:
        await _paced(db, rest, written("search.analyze_shadow", f"ANALYZE search.entry_shadow ({column})"))
    await _catch_up(db, run, rest)
    if not await _swap(db, run):
        raise ReindexTakenOver
    await _patiently(db, TIDY_SHADOW)
    return Reindexed(done, resumed)


async def _swap(db: Database, run: UUID) -> bool:
    for _ in range(ATTEMPTS):
        with suppress(TookTooLong):
            async with db.tx() as tx:
                return bool(await _durably(tx, SWAP_SHADOW, run, True))
        await asyncio.sleep(BUSY_SECONDS)
    return bool(await _patiently(db, SWAP_SHADOW, run, False))


async def _patiently(db: Database, query: Query, *args: object) -> Any:
    """Run what others wait for. When a long transaction keeps it from its lock, it gives way and tries again."""
    for _ in range(MOST_ATTEMPTS):
        with suppress(TookTooLong):
            async with db.tx() as tx:
                return await _durably(tx, query, *args)
        await asyncio.sleep(LOCKED_OUT_SECONDS)
    async with db.tx() as tx:
        return await _durably(tx, query, *args)


async def _durably(tx: Tx, query: Query, *args: object) -> Any:
    """Run what commits only once the log is written, whatever it sets meanwhile: replicas are asked for what was."""
    answer = await tx.value(query, *args)
    await tx.value(DURABLY)
    return answer


async def _fill(db: Database, run: UUID, progress: Progress, rest: float) -> int:
    async with db.read() as tx:
        state = await tx.row(SHADOW_STATE)
    assert state is not None  # noqa: S101 - the state has its one row
    done, total = state["shadow_done"], state["products"]
    while written := await _mine(db, FILL_SHADOW, run, BATCH, rest):
        done += written
        await _mine(db, CATCH_UP_SHADOW, run, BATCH, rest)
        progress("entries", min(done, total), total)
    return int(done)


async def _catch_up(db: Database, run: UUID, rest: float) -> None:
    """Make what changed anew, faster and faster, until nothing waits: this must come to an end."""
    size = BATCH
    for _ in range(ROUNDS):
        if await _mine(db, CATCH_UP_SHADOW, run, size, rest) < size:
            return
        size, rest = min(size * 2, MOST), rest / 2


async def _mine(db: Database, query: Query, run: UUID, so_many: int, rest: float) -> int:
    """A step of this run, and a rest; how many products it was for. `ReindexTakenOver`."""
    done: int = await _paced(db, rest, query, run, so_many)
    if done < 0:
        raise ReindexTakenOver
    return done


async def _paced(db: Database, rest: float, query: Query, *args: object) -> Any:
    started = monotonic()
    async with db.tx() as tx:
        found = await tx.value(query, *args)
    await asyncio.sleep((monotonic() - started) * rest)
    return found
