"""Making the projection anew beside the one in use, and swapping the two: nobody waits, nothing is lost.

From the moment it begins, every change of a product goes to both projections (see the triggers in the migration), so
batches only have to add what no change has written yet (decisions/0011-flat-lists.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tfmshop.commerce.search.errors import NoSuchLanguage, ReindexTakenOver
from tfmshop.commerce.search.store import BEGIN_SHADOW, FILL_SHADOW, HAS_LANGUAGE, SHADOW_STATE, SWAP_SHADOW
from tfmshop.platform import ids
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Query
from tfmshop.platform.errors import TookTooLong

BATCH: Final = 20
"""Products a transaction: few, so that neither a writer of the same products nor a core waits for long."""

ATTEMPTS: Final = 30
"""How often a lock is tried for, with a pause of a second."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a reindex did; `resumed` when it went on with one that was cut off."""

    products: int
    resumed: bool


async def reindex(db: Database, language: str, progress: Progress) -> Reindexed:
    """Make the projection anew in a language. Cut off, it goes on where it was.

    `NoSuchLanguage`; `ReindexTakenOver` when another one began meanwhile.
    """
    async with db.tx() as tx:
        if not await tx.value(HAS_LANGUAGE, language):
            raise NoSuchLanguage(language)

    run = ids.new()
    resumed = bool(await _with_writers_waiting(db, BEGIN_SHADOW, language, run))
    done = await _fill(db, run, progress)
    if not await _with_writers_waiting(db, SWAP_SHADOW, run):
        raise ReindexTakenOver
    return Reindexed(done, resumed)


async def _with_writers_waiting(db: Database, query: Query, *args: object) -> Any:
    """Run what writers wait for. When a long transaction keeps it from its lock, it gives way and tries again."""
    for _ in range(ATTEMPTS):
        try:
            async with db.tx() as tx:
                return await tx.value(query, *args)
        except TookTooLong:
            await asyncio.sleep(1)
    async with db.tx() as tx:
        return await tx.value(query, *args)


async def _fill(db: Database, run: UUID, progress: Progress) -> int:
    async with db.read() as tx:
        state = await tx.row(SHADOW_STATE)
    assert state is not None  # noqa: S101 - the state has its one row
    done, total = state["shadow_done"], state["products"]
    while True:
        started = monotonic()
        async with db.tx() as tx:
            written = await tx.value(FILL_SHADOW, run, BATCH)
        if written < 0:
            raise ReindexTakenOver
        if not written:
            return int(done)
        done += written
        progress("entries", min(done, total), total)
        await asyncio.sleep(monotonic() - started)
