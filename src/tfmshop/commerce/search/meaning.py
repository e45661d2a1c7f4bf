"""What products mean, as numbers: for queries whose words nothing has (decisions/0013-meaning.md).

A job brings the numbers of changed products up to date. Who reads what a product is and writes its numbers holds one
lock from before it reads, so nothing newer is overwritten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from tfmshop.commerce.search.errors import NoVectors
from tfmshop.commerce.search.store import (
    BEGIN_MEANING,
    END_MEANING,
    ENTRIES,
    HAS_MEANING_INDEX,
    HAS_VECTORS,
    LACK_MEANING,
    LOCK_MEANING,
    MEANING_TEXTS,
    PUT_MEANING,
)
from tfmshop.platform import codec
from tfmshop.platform.cache import report
from tfmshop.platform.db import Database, Tx, written
from tfmshop.platform.jobs import job
from tfmshop.platform.meaning import Model

BATCH: Final = 500
FOUND: Final = ("search",)
"""The tag of pages that words found: what is near in meaning is another now."""
DROP_INDEX: Final = written("search.drop_meaning_index", "DROP INDEX CONCURRENTLY IF EXISTS search.meaning_near")
MAKE_INDEX: Final = written(
    "search.make_meaning_index",
    "CREATE INDEX CONCURRENTLY meaning_near ON search.meaning USING hnsw (numbers halfvec_cosine_ops)",
)

Progress = Callable[[str, int, int], None]


async def understand(db: Database, model: Model, progress: Progress) -> int:
    """Learn what every product means that is not known yet; how many. Cut off, it goes on where it was. `NoVectors`."""
    async with db.tx() as tx:
        if not await tx.value(HAS_VECTORS):
            raise NoVectors
        await tx.value(BEGIN_MEANING, model.name, model.dimensions)
    async with db.read() as tx:
        total = await tx.value(ENTRIES)

    done, after = 0, UUID(int=0)
    while True:
        async with db.tx() as tx:
            await tx.value(LOCK_MEANING)
            batch = [row[0] for row in await tx.rows(LACK_MEANING, after, BATCH)]
            await _write(tx, model, batch)
        if not batch:
            break
        done, after = done + len(batch), batch[-1]
        progress("products", min(done, total), total)

    async with db.read() as tx:
        if not await tx.value(HAS_MEANING_INDEX):
            await tx.execute(DROP_INDEX)
            await tx.execute(MAKE_INDEX)
        await report.clear(tx, FOUND)
    return done


async def forget(db: Database) -> None:
    """Switch meaning off; its numbers go."""
    async with db.tx() as tx:
        await tx.value(END_MEANING)
        await report.clear(tx, FOUND)


def keep(model: Model | None) -> None:
    """Declare the job that keeps numbers up to date; without a model it forgets what changed, to be learnt later."""

    @job("search.meaning")
    async def changed(db: Database, payload: bytes) -> None:
        products = codec.decode_as(payload, list[UUID])
        async with db.tx() as tx:
            await tx.value(LOCK_MEANING)
            await _write(tx, model, products)
            if model is not None:
                await report.clear(tx, FOUND)


async def _write(tx: Tx, model: Model | None, products: Sequence[UUID]) -> None:
    rows = await tx.rows(MEANING_TEXTS, products) if model else []
    made = await asyncio.to_thread(model.of, [row["text"] for row in rows]) if model and rows else []
    known = [row["id"] for row in rows]
    gone = list(set(products) - set(known))
    await tx.value(PUT_MEANING, model.name if model else None, known, [codec.encode_text(one) for one in made], gone)
