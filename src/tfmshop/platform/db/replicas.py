"""Reads on replicas that know everything which was committed before they were asked.

Each read first finds out how far the primary's log is, and goes to a replica that has replayed so much, or does within
`PATIENCE` seconds; else to the primary. So nobody reads less than what any process of the shop had acknowledged before,
and no client has to carry a mark (decisions/0038-replicas-that-know.md). Reads that come at the same moment share the
question. While the primary is away replicas answer with what they have, if nobody keeps the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import asyncpg
import structlog

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.faults import NoAnswer
from tfmshop.platform.db.query import Query
from tfmshop.platform.errors import Busy, DatabaseUnavailable, ShopError, TookTooLong
from tfmshop.platform.observe.metrics import Counter, Gauge, Over
from tfmshop.platform.together import Together

if TYPE_CHECKING:
    from tfmshop.platform.db.database import Database

PATIENCE: Final = 0.05
"""Seconds that a read waits for a replica to know enough."""
BEAT: Final = 1.0
SHORTEST_BEAT: Final = 0.1
"""Seconds between two looks at each replica, at most and at least."""
MOST_BEHIND: Final = 2.0
"""Seconds that a replica may be behind until nobody waits for it any more."""
MOST_TOGETHER: Final = 10_000
_FIRST_PAUSE: Final = 0.001

WRITTEN = Query(
    "db.written",
    """
SELECT pg_wal_lsn_diff(CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
    ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint
""",
)
REPLAYED = Query(
    "db.replayed",
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END",
)
NUDGE = Query("db.nudge", "SELECT pg_logical_emit_message(true, 'tfmshop', '')")
"""A commit of nothing. Without one, the end of the log may be half a record, which no replica can replay: what reads
leave behind, such as hint bits, is written by the page."""
SERVER = Query("db.server", "SELECT system_identifier FROM pg_control_system()")

READS = Counter("tfmshop_replica_reads_total", "Reads that may go to a replica, by where they went.", "where")
USED = Gauge("tfmshop_replica_used", "1 where every process uses this replica.", "replica", over=Over.LEAST)
BEHIND = Gauge("tfmshop_replica_behind_seconds", "How long ago a replica last had all that the primary had.",
               "replica", over=Over.MOST)  # fmt: skip

log = structlog.get_logger("replicas")


@dataclass(slots=True)
class Replica:
    """One replica: how far it is, and why it is left out, if it is."""

    name: str
    db: Database
    replayed: int = 0
    level_at: float = float("-inf")
    """When it was last seen to have everything."""
    wrong: str = "not looked at yet"
    late: bool = False
    """Whether somebody waited for it in vain."""
    same: bool = False
    """Whether it is a copy of our primary."""

    def __post_init__(self) -> None:
        self.db.is_replica = True

    async def look(self) -> None:
        """Find out how far it is. `ShopError`, or `ValueError` in words where it is no replica."""
        async with self.db.read() as tx:
            replayed = await tx.value(REPLAYED)
        if replayed is None:
            raise ValueError("it is a server of its own, no replica (any more)")
        self.replayed = max(self.replayed, replayed)

    def blame(self, error: Exception) -> None:
        """A read of it failed: ask it nothing until it was looked at, unless it only has too much to do, or went on
        with what was read.
        """
        if isinstance(error, DatabaseUnavailable | NoAnswer):
            self.leave_out(str(error))

    def leave_out(self, why: str) -> None:
        """Ask it nothing until it is looked at and well again."""
        if not self.wrong:
            log.warning("a replica is left out", replica=self.name, why=why)
        self.wrong = why or "it failed"
        USED.of(self.name).set(0)

    async def reach(self, position: int) -> bool:
        """Whether it replays a position of the log soon; after one wait in vain, whether it has now."""
        pause, until = _FIRST_PAUSE, monotonic() + PATIENCE
        while self.replayed < position:
            await self.look()
            if self.replayed >= position:
                break
            if self.late or monotonic() + pause > until:
                self.late = True
                return False
            await asyncio.sleep(pause)
            pause *= 2
        self.late = False
        return True


class Replicas:
    """The replicas of one process. `start` opens them; `fit` finds one for a read."""

    def __init__(self, primary: Database, replicas: Sequence[Replica], may_be_old: Callable[[], bool]) -> None:
        """`primary` is for questions about its log only, so that they wait for no other work. `may_be_old` says
        whether an answer that may lack the newest is better than none now.
        """
        self._primary = primary
        self.all = replicas
        self._may_be_old = may_be_old
        self._turn = 0
        self._written = Together[None, int](
            self._ask, at_once=1, most=MOST_TOGETHER, patience_seconds=PATIENCE, marks=lambda _: ()
        )
        self._wake = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look at each once, then every second, and when one was waited for in vain."""
        await self._look()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more, and close every connection."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for db in (self._primary, *(replica.db for replica in self.all)):
            await db.close()

    async def fit(self) -> Replica | None:
        """A replica that has all that was committed until now; None is the primary."""
        if not any(not replica.wrong for replica in self.all):
            return None
        try:
            position = await self._written.do(None)
        except ShopError:
            if not self._may_be_old():
                return None
            position = 0
        replica = self._whose_turn()
        if replica is None:
            return None
        try:
            if await replica.reach(position):
                return replica
            self._wake.set()
        except (ShopError, ValueError) as error:
            replica.leave_out(str(error))
        return None

    def _whose_turn(self) -> Replica | None:
        well = [replica for replica in self.all if not replica.wrong]
        self._turn += 1
        return well[self._turn % len(well)] if well else None

    async def _ask(self, who: list[None]) -> list[int]:
        """How far the log of the primary is, for all who asked before this."""
        async with self._primary.read() as tx:
            return [await tx.value(WRITTEN)] * len(who)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SHORTEST_BEAT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), BEAT - SHORTEST_BEAT)
            self._wake.clear()
            try:
                await self._look()
            except Exception as error:
                log.error("replicas cannot be looked at", exc_info=error)

    async def _look(self) -> None:
        asked = monotonic()
        position: int | None = None
        with suppress(ShopError):
            position = await self._written.do(None)
        await asyncio.gather(*(self._look_at(replica, position, asked) for replica in self.all))
        if position is not None and any(replica.replayed < position for replica in self.all):
            with suppress(ShopError):
                async with self._primary.tx() as tx:
                    await tx.value(NUDGE)

    async def _look_at(self, replica: Replica, position: int | None, asked: float) -> None:
        """Leave a replica out, or take it back. While the primary is away one that answers stays as it is."""
        try:
            await replica.look()
            if not replica.same and position is not None:
                await self._compare(replica)
        except Busy:
            return
        except (ShopError, ValueError) as error:
            replica.leave_out(str(error))
        else:
            if position is not None and replica.replayed >= position:
                replica.level_at = asked
            behind = asked - replica.level_at
            if position is not None and behind > MOST_BEHIND:
                replica.leave_out("it is behind")
            elif replica.wrong and replica.same and behind <= MOST_BEHIND:
                log.info("a replica is used", replica=replica.name)
                replica.wrong = ""
        USED.of(replica.name).set(not replica.wrong)
        BEHIND.of(replica.name).set(min(monotonic() - replica.level_at, 1e9))

    async def _compare(self, replica: Replica) -> None:
        async with self._primary.read() as tx:
            ours = await tx.value(SERVER)
        async with replica.db.read() as tx:
            if await tx.value(SERVER) != ours:
                raise ValueError("it is a replica of another server")
        replica.same = True


def names(urls: Sequence[str]) -> list[str]:
    """What replicas are called: host and port, or their place in the list where they have none."""
    places = [urlsplit(url) for url in urls]
    return [f"{at.hostname}:{at.port or 5432}" if at.hostname else f"replica {n}" for n, at in enumerate(places, 1)]


FAULTS: Final = (
    Busy, DatabaseUnavailable, TookTooLong, asyncpg.SerializationError, asyncpg.DeadlockDetectedError
)  # fmt: skip
"""What a read of a replica fails of that the primary may answer: the last two where rows went that it still read."""


def of(
    primary: Database, urls: Sequence[str], open_at: Callable[[str], Database], may_be_old: Callable[[], bool]
) -> Replicas:
    """The replicas at some addresses."""
    return Replicas(primary, [Replica(name, open_at(url)) for name, url in zip(names(urls), urls, strict=True)],
                    may_be_old)  # fmt: skip
