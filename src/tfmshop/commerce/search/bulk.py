"""Filling an empty shop: the indexes of the projection are made once, at the end, instead of kept row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tfmshop.commerce.search.learn import FIRST_TIER
from tfmshop.commerce.search.store import INDEXES, SET_TIERS
from tfmshop.platform.db import Tx, written


@asynccontextmanager
async def bulk(tx: Tx) -> AsyncIterator[None]:
    """Take the indexes away for the time of the block, in the caller's transaction; readers wait for its end."""
    indexes = await tx.rows(INDEXES)
    for index in indexes:
        await tx.execute(written("search.drop_index", f"DROP INDEX search.{index['indexname']}"))
    yield
    await tx.execute(SET_TIERS, FIRST_TIER)
    for index in indexes:
        await tx.execute(written("search.make_index", index["indexdef"]))
