"""How search is doing: what it knows, and how far it lags behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tfmshop.commerce.search.store import STATUS
from tfmshop.platform.db import Tx
from tfmshop.platform.jobs import Waiting, waiting


@dataclass(frozen=True, slots=True)
class Status:
    """The projection in use; the one that is being made, if any; what is known of words and meaning.

    `meant` is an estimate of how many products have a meaning. `categories` are jobs after changes of categories,
    `meanings` those after changes of products: everything else is in the projection when its transaction commits.
    """

    language: str
    entries: int
    words: int
    learnt_at: datetime | None
    reindexing: str | None
    reindexed: int
    model: str | None
    meant: int
    categories: Waiting
    meanings: Waiting


async def status(tx: Tx) -> Status:
    """How search is doing now."""
    row = await tx.row(STATUS)
    assert row is not None  # noqa: S101 - the state has its one row
    lags = [await waiting(tx, name) for name in ("search.category_changed", "search.meaning")]
    return Status(*row, *lags)
