"""Watching who looks for holes: addresses gather points, are slowed, and are kept out for a while.

Each process gathers by itself and settles with PostgreSQL at most once a second, while there are requests; so the
processes of a shop share scores and blocks, an idle shop asks nothing, and a shop without a database still scores.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from tfmshop.platform import clock, limits
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Query, Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe import security
from tfmshop.surface.http.edge import signs

SLOWED_AT: Final = 50
BLOCKED_AT: Final = 100
LONGEST_DELAY: Final = 2.0
"""Seconds that somebody who is nearly blocked waits for each answer."""
MOST_DELAYED: Final = 100
"""Requests that wait at once in a process; one more is refused instead."""
SETTLE_SECONDS: Final = 1.0
RATE: Final = 200
"""Requests a second, of one address to one process, that no person and no page sends."""
HALVED_SECONDS: Final = 300

ADD = Query("platform.suspect", "SELECT key, score FROM platform.suspect($1, $2, $3, $4)")

log = structlog.get_logger("security")


@dataclass(slots=True)
class _Known:
    """What a process knows of an address since it settled last."""

    score: float = 0.0
    points: float = 0.0
    why: Counter[str] = field(default_factory=Counter)


class Watch:
    """Scores of addresses. `mode` is block, log (scores and logs only) or off."""

    def __init__(self, mode: str) -> None:
        self.on = mode != "off"
        self._blocks = mode == "block"
        self._db: Database | None = None
        self._known: dict[str, _Known] = {}
        self._blocked: dict[str, datetime] = {}
        self._asked: Counter[str] = Counter()
        self._settled = monotonic()
        self._settling: asyncio.Task[None] | None = None
        self._delayed = 0

    def works_with(self, db: Database | None) -> None:
        """Settle with this database from now on, with None no more."""
        self._db = db
        if db is None and self._settling is not None:
            self._settling.cancel()

    def blocked_until(self, household: str) -> datetime | None:
        """Until when an address is kept out."""
        until = self._blocked.get(household)
        return until if until is not None and until > clock.now() else None

    def comes(self, household: str) -> None:
        """Count a request; settle when it is time."""
        self._asked[household] += 1
        if monotonic() - self._settled >= SETTLE_SECONDS and (self._settling is None or self._settling.done()):
            self._settled = monotonic()
            self._settling = asyncio.get_running_loop().create_task(self.settle())

    def note(self, household: str, found: list[str], *, address: str, path: str) -> None:
        """Add the points of what was found, and say so."""
        known = self._known.setdefault(household, _Known())
        for sign in found:
            points = signs.POINTS[sign]
            known.points += points
            known.score += points
            known.why[sign] += points
        if not signs.TOLD.isdisjoint(found):
            security.tell(
                "suspicious", address=address, path=path, signs={one: signs.POINTS[one] for one in found},
                score=round(known.score), household=household,
            )  # fmt: skip

    async def delay(self, household: str) -> bool:
        """Have somebody wait as long as their score asks for; whether there was room to wait."""
        known = self._known.get(household)
        if known is None or known.score < SLOWED_AT or not self._blocks:
            return True
        if self._delayed >= MOST_DELAYED:
            return False
        self._delayed += 1
        try:
            await asyncio.sleep(min(1.0, (known.score - SLOWED_AT) / (BLOCKED_AT - SLOWED_AT)) * LONGEST_DELAY)
        finally:
            self._delayed -= 1
        return True

    async def settle(self) -> None:
        """Add this process's points to everybody's, block who has too many, and learn who is blocked."""
        for household, asked in self._asked.items():
            if asked > RATE:
                self.note(household, [signs.FLOOD], address=household, path=f"{asked} requests in a second")
        self._asked.clear()
        if self._db is None:
            return
        given = {household: known.points for household, known in self._known.items() if known.points}
        try:
            async with self._db.tx() as tx:
                now = clock.now()
                if given:
                    for row in await tx.rows(ADD, list(given), list(given.values()), now, HALVED_SECONDS):
                        self._known[row["key"]].score = row["score"]
                        if row["score"] >= BLOCKED_AT and self._blocks:
                            await self._block(tx, row["key"], now)
                self._blocked = {
                    block.key.removeprefix("all:"): block.until
                    for block in await limits.blocks(tx) if block.key.startswith("all:")
                }  # fmt: skip
        except ShopError as error:
            log.warning("scores are kept in this process alone", why=str(error))
            return
        for household, points in given.items():
            self._known[household].points -= points
        self._known = {who: known for who, known in self._known.items() if known.points or known.score >= 1}

    async def _block(self, tx: Tx, household: str, now: datetime) -> None:
        why = ", ".join(f"{sign} {points}" for sign, points in self._known[household].why.most_common())
        block = await limits.block(tx, f"all:{household}", why or "signs in other processes", now)
        if block is not None:
            security.tell("address blocked", key=block.key, until=block.until, strikes=block.strikes, why=block.why)
