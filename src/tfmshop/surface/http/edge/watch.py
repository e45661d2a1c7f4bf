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
WEAK_MOST: Final = 45
"""What weak signs add up to at most: they never slow anybody by themselves."""
ELSEWHERE_MOST: Final = 75
"""The same of what pages elsewhere had a browser ask: it slows, and never blocks by itself."""
BLOCKED_AT: Final = 100
LONGEST_DELAY: Final = 2.0
"""Seconds that somebody who is nearly blocked waits for each answer."""
LONGEST_DELAY_HERE: Final = 0.5
"""The same for the machine itself, which is never kept out: a proxy that was forgotten, or a test, may be there."""
MOST_DELAYED: Final = 100
"""Requests that wait at once in a process, and a tenth of it for one address; one more is refused instead."""
SETTLE_SECONDS: Final = 1.0
RATE: Final = 200
"""Requests a second, of one address to one process, that no person and no page sends."""
HALVED_SECONDS: Final = 300
MOST_KNOWN: Final = 20_000
"""Addresses that a process knows at most; the ones that came first are forgotten."""
AT_ONCE: Final = 1000
"""Addresses whose points are added in one statement."""

_MOST: Final = dict.fromkeys(signs.WEAK, WEAK_MOST) | {signs.ELSEWHERE: ELSEWHERE_MOST}
ADD = Query("platform.suspect", "SELECT key, score FROM platform.suspect($1, $2, $3, $4)")

log = structlog.get_logger("security")


@dataclass(slots=True)
class _Known:
    """What a process knows of an address: its score at a moment, and the points that it did not settle yet."""

    score: float
    at: float
    points: float = 0.0
    why: Counter[str] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)
    waiting: int = 0

    @property
    def is_strong(self) -> bool:
        """Whether there is a sign that may block somebody."""
        return any(sign not in signs.WEAK and sign != signs.ELSEWHERE for sign in self.why)

    def now(self) -> float:
        """The score as it has become: points halve by and by."""
        moment = monotonic()
        self.score *= 0.5 ** ((moment - self.at) / HALVED_SECONDS)
        self.at = moment
        return self.score


def is_here(household: str) -> bool:
    """Whether it is the machine itself."""
    return household.startswith("127.") or household == "::/64"


class Watch:
    """Scores of addresses. `mode` is block, log (scores and logs only) or off."""

    def __init__(self, mode: str) -> None:
        self.on = mode != "off"
        self._blocks = mode == "block"
        self._db: Database | None = None
        self._known: dict[str, _Known] = {}
        self._blocked: dict[str, datetime] = {}
        self._asked: dict[str, int] = {}
        self._second_ends = 0.0
        self._settled = monotonic()
        self._settling: asyncio.Task[None] | None = None
        self._delayed = 0

    async def works_with(self, db: Database | None) -> None:
        """Settle with this database from now on, with None no more."""
        self._db = db
        if db is None and self._settling is not None:
            self._settling.cancel()
            await asyncio.wait([self._settling])

    def blocked_until(self, who: str) -> datetime | None:
        """Until when an address is kept out."""
        until = self._blocked.get(who)
        return until if until is not None and self._blocks and until > clock.now() else None

    def comes(self, who: str, moment: float) -> None:
        """Count a request of a household at a moment of `clock.monotonic`; settle when it is time."""
        if moment >= self._second_ends:
            self._second_ends = moment + 1
            self._asked.clear()
        asked = self._asked[who] = self._asked.get(who, 0) + 1
        if asked == RATE + 1 and not is_here(who):
            self.note(who, [signs.FLOOD], address=who, path=f"more than {RATE} requests in a second")
        if moment - self._settled >= SETTLE_SECONDS and (self._settling is None or self._settling.done()):
            self._settled = moment
            self._settling = asyncio.get_running_loop().create_task(self.settle())

    def trusts(self, who: str) -> bool:
        """Whether nothing is held against a household."""
        return who not in self._known and not (self._blocks and who in self._blocked)

    def note(self, household: str, found: list[str], *, address: str, path: str) -> None:
        """Add the points of what was found, and say so: of one address each sign once until the next settling."""
        known = self._known.get(household)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            known = self._known[household] = _Known(0.0, monotonic())
        score, added = known.now(), []
        for sign in found:
            if score >= _MOST.get(sign, score + 1):
                continue
            added.append(sign)
            points = signs.POINTS[sign]
            known.points += points
            score = known.score = known.score + points
            known.why[sign] += points
        news = [sign for sign in added if sign not in signs.WEAK and sign not in known.told]
        if news:
            known.told.update(news)
            security.tell(
                "suspicious", address=address, path=path, signs={one: signs.POINTS[one] for one in added},
                score=round(score), household=household,
            )  # fmt: skip

    async def delay(self, household: str) -> bool:
        """Have somebody wait as long as their score asks for; whether there was room to wait."""
        known = self._known.get(household)
        if known is None or not self._blocks or (score := known.now()) < SLOWED_AT:
            return True
        if self._delayed >= MOST_DELAYED or known.waiting >= MOST_DELAYED // 10:
            return not known.is_strong
        self._delayed += 1
        known.waiting += 1
        try:
            longest = LONGEST_DELAY_HERE if is_here(household) else LONGEST_DELAY
            await asyncio.sleep(min(1.0, (score - SLOWED_AT) / (BLOCKED_AT - SLOWED_AT)) * longest)
        finally:
            self._delayed -= 1
            known.waiting -= 1
        return True

    async def settle(self) -> None:
        """Add this process's points to everybody's, block who has too many, and learn who is blocked."""
        for known in self._known.values():
            known.told.clear()
        if self._db is not None:
            try:
                await self._db.transact(self._share)
            except ShopError as error:
                log.warning("scores are kept in this process alone", why=str(error))
            except Exception as error:
                log.error("scores are kept in this process alone", exc_info=error)
        self._known = {who: known for who, known in self._known.items() if known.now() >= 1 or known.points}

    async def _share(self, tx: Tx) -> None:
        now = clock.now()
        given = {who: known.points for who, known in self._known.items() if known.points}
        given = dict(list(given.items())[:AT_ONCE])
        if given:
            for row in await tx.rows(ADD, list(given), list(given.values()), now, HALVED_SECONDS):
                known = self._known.get(row["key"]) or _Known(0.0, monotonic())
                known.score, known.at = row["score"], monotonic()
                known.points -= given[row["key"]]
                blocks = self._blocks and known.is_strong and not is_here(row["key"])
                if row["score"] >= BLOCKED_AT and blocks:
                    await self._block(tx, row["key"], known, now)
        blocked = {
            block.key.removeprefix("all:"): block.until
            for block in await limits.blocks(tx) if block.key.startswith("all:")
        }  # fmt: skip
        for freed in self._blocked.keys() - blocked.keys():
            self._known.pop(freed, None)
        self._blocked = blocked

    async def _block(self, tx: Tx, household: str, known: _Known, now: datetime) -> None:
        why = ", ".join(f"{sign} {points}" for sign, points in known.why.most_common())
        block = await limits.block(tx, f"all:{household}", why, now)
        if block is not None:
            security.tell("address blocked", key=block.key, until=block.until, strikes=block.strikes, why=block.why)
