"""Truths: what must never be false, as SQL that returns the offenders."""

from __future__ import annotations

from dataclasses import dataclass

from tfmshop.platform.db.query import Query
from tfmshop.platform.db.tx import Tx
from tfmshop.platform.observe.metrics import Gauge, Over

BROKEN = Gauge("tfmshop_truths_broken", "Things that must never be false about the data, and are.", over=Over.MOST)
TRUTHS: list[Truth] = []


@dataclass(frozen=True, slots=True)
class Truth:
    """A sentence about the data, and the query of what contradicts it."""

    sentence: str
    offenders: Query

    def __post_init__(self) -> None:
        TRUTHS.append(self)


async def broken(tx: Tx) -> dict[str, list[object]]:
    """Every truth that does not hold, with up to all of its offenders (first column)."""
    found = {}
    for truth in TRUTHS:
        rows = await tx.rows(truth.offenders)
        if rows:
            found[truth.sentence] = [row[0] for row in rows]
    BROKEN.of().set(len(found))
    return found
