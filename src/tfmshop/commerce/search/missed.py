"""What was looked for in vain: where the catalogue, its words or the synonyms have a gap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tfmshop.commerce.search.store import MISSED
from tfmshop.platform.db import Tx


@dataclass(frozen=True, slots=True)
class Missed:
    """A query that found nothing, and how often."""

    words: str
    times: int
    first_at: datetime
    last_at: datetime


async def missed(tx: Tx, limit: int) -> list[Missed]:
    """The queries that found nothing, most frequent first."""
    return [Missed(*row) for row in await tx.rows(MISSED, limit)]
