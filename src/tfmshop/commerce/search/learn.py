"""What search learns from the catalogue as a whole: its words, and which products are looked at first."""

from __future__ import annotations

from typing import Final

from tfmshop.commerce.search.store import (
    ANALYZE,
    CHANGES,
    DROP_WORDS,
    FORGET_MISSED,
    LEARN_WORDS,
    LEARNT,
    LOCK_LEARNING,
    SET_TIERS,
)
from tfmshop.platform.db import Database, Tx

FIRST_TIER: Final = 20_000
"""How many products, the most popular, broad searches look at first."""
MISSED: Final = 10_000
"""How many queries that found nothing are remembered."""


async def learn(db: Database, *, always: bool = False) -> bool:
    """Learn words and tiers anew when a hundredth of the catalogue or more changed since; whether it did."""
    async with db.read() as tx:
        row = await tx.row(CHANGES)
    assert row is not None  # noqa: S101 - the state has its one row
    async with db.tx() as tx:
        await tx.execute(FORGET_MISSED, MISSED)
    changed = abs(row["changes"] - row["learnt_changes"])
    if not always and row["learnt_at"] is not None and changed * 100 <= max(row["entries"], 0):
        return False

    async def work(tx: Tx) -> None:
        await tx.value(LOCK_LEARNING)
        await tx.execute(DROP_WORDS)
        await tx.execute(LEARN_WORDS)
        await tx.execute(SET_TIERS, FIRST_TIER)
        await tx.execute(LEARNT, row["changes"], FIRST_TIER)

    await db.transact(work)
    async with db.read() as tx:
        await tx.execute(ANALYZE)
    return True
