"""Reads on replicas that know everything which was committed before they were asked.

Each read first finds out how far the primary's log is, and is done by a connection whose server has replayed so much,
or does within `PATIENCE` seconds; else by the primary. So nobody reads less than what any process of the shop had
acknowledged before, and no client has to carry a mark (decisions/0038-replicas-that-know.md). Reads that come at the
same moment share the question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.faults import NoAnswer
from tfmshop.platform.db.query import Query
from tfmshop.platform.db.tx import NeedsPrimary, Row, Tx
from tfmshop.platform.errors import Busy, DatabaseUnavailable, ShopError, TookTooLong
from tfmshop.platform.observe.metrics import Counter, Gauge, Over
from tfmshop.platform.together import Together

if TYPE_CHECKING:
    from tfmshop.platform.db.database import Database

T = TypeVar("T")

PATIENCE: Final = 0.05
"""Seconds that a read waits for a connection to a replica, and then for the replica to know enough."""
SHORTEST_BEAT: Final = 0.1
BEAT: Final = 1.0
"""Seconds between two looks at each replica, at least and at most."""
LOOK_SECONDS: Final = 2.0
"""How long a look may take."""
MOST_BEHIND: Final = 3.0
"""Seconds that a replica may be behind until nobody waits for it any more; above `BEAT`, by which it is measured."""
REMEMBERED: Final = 10
"""Looks whose positions are known, to tell how long ago a replica had everything."""
MOST_TOGETHER: Final = 10_000
FIRST_PAUSE: Final = 0.001
"""Seconds until a replica is asked again how far it is; each time doubles them."""
NOT_YET: Final = "it was not looked at yet"

WRITTEN = Query(
    "db.written",
    """
SELECT s.system_identifier AS server, l.at, ('x' || substr(l.file, 1, 8))::bit(32)::int AS timeline
FROM pg_control_system() AS s CROSS JOIN LATERAL (
    SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS at,
        pg_walfile_name(pg_current_wal_flush_lsn()) AS file
    WHERE NOT pg_is_in_recovery()
) AS l
""",
)
STATE = Query(
    "db.replica_state",
    """
SELECT s.system_identifier AS server, greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline,
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS at
FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_control_recovery() AS r WHERE pg_is_in_recovery()
""",
)
NUDGE = Query("db.nudge", "SELECT pg_logical_emit_message(true, 'tfmshop', '')")
"""A commit of nothing. Without one, the end of the log may be half a record, which no replica can replay: what reads
leave behind, such as hint bits, is written by the page."""

READS = Counter("tfmshop_replica_reads_total", "Reads that may go to a replica, by where they went.", "where")
USED = Gauge("tfmshop_replica_used", "1 where every process uses this replica.", "replica", over=Over.LEAST)
BEHIND = Gauge("tfmshop_replica_behind_seconds", "How long ago a replica last had all that the primary had.",
               "replica", over=Over.MOST)  # fmt: skip
PASSING: Final = (Busy, TookTooLong, NeedsPrimary, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What the primary may do instead, and says nothing of the replica: the last two where rows went that it still read."""
BROKEN: Final = (
    DatabaseUnavailable, NoAnswer, asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)  # fmt: skip

log = structlog.get_logger("replicas")


class Late(Exception):
    """A replica does not have all that is needed in time."""


class NotOurs(Exception):
    """A server that must not be read, and why."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log is: of which server, on which timeline."""

    server: int
    timeline: int
    at: int


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What was read on a replica."""

    value: T


@dataclass(slots=True)
class Replica:
    """One replica: two ways to it, and why it is left out, if it is."""

    name: str
    db: Database
    watched: Database
    """The same server, for looks at it only, so that they wait for no reads."""
    wrong: str = NOT_YET
    late: bool = False
    """Whether somebody waited for it in vain since it was looked at."""
    level_at: float = float("-inf")
    """When it last had everything, as far as was looked."""
    _known: WeakKeyDictionary[Any, Position] = field(default_factory=WeakKeyDictionary)
    """What each connection's server had when it was asked: it goes with the server, and never back."""

    def __post_init__(self) -> None:
        self.db.is_replica = True

    async def reach(self, tx: Tx, wanted: Position) -> None:
        """Return when the server behind `tx` has all of a position. `Late`, `NotOurs`."""
        known = self._known.get(tx.backend)
        pause, until = FIRST_PAUSE, monotonic() + PATIENCE
        while known is None or known.at < wanted.at or known.timeline != wanted.timeline:
            try:
                async with asyncio.timeout(until - monotonic()):
                    state = await tx.row(STATE)
            except TimeoutError:
                tx.drop()
                raise Late from None
            known = self._known[tx.backend] = judged(state, wanted)
            if known.at < wanted.at:
                left = until - monotonic()
                if self.late or left < FIRST_PAUSE:
                    raise Late
                await asyncio.sleep(min(pause, left / 2))
                pause *= 2

    def leave_out(self, why: str) -> None:
        """Ask it nothing until it is looked at and well again."""
        if self.wrong in ("", NOT_YET):
            log.warning("a replica is left out", replica=self.name, why=why)
        self.wrong = why or "it failed"
        USED.of(self.name).set(0)


def judged(state: Row | None, primary: Position) -> Position:
    """How far a replica of this primary is. `NotOurs`."""
    if state is None:
        raise NotOurs("it is a server of its own, no replica (any more)")
    if state["server"] != primary.server:
        raise NotOurs("it is a replica of another server")
    if state["timeline"] != primary.timeline:
        raise NotOurs(f"it is on timeline {state['timeline']}, the primary on {primary.timeline}")
    return Position(state["server"], state["timeline"], state["at"])


class Replicas:
    """The replicas of one process. `start` opens them; `read` reads on one."""

    def __init__(self, primary: Database, replicas: Sequence[Replica], keeps: Callable[[], bool]) -> None:
        """`primary` is for questions about its log only, so that they wait for no other work. `keeps` says whether
        answers are kept for others now: then none may be old.
        """
        self._primary = primary
        self.all = replicas
        self._keeps = keeps
        self._turn = 0
        self._lost = 0
        self._written = Together[None, "Position | None"](
            self._ask, at_once=1, most=MOST_TOGETHER, patience_seconds=PATIENCE, marks=lambda _: ()
        )
        self._positions: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._wake = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look at each once, then every second, and when one was waited for in vain."""
        await self.look()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more, and close every connection."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for db in (self._primary, *(db for replica in self.all for db in (replica.db, replica.watched))):
            await db.close()

    async def read(self, work: Callable[[Tx], Awaitable[T]], *, may_be_old: bool) -> Found[T] | None:
        """What `work(tx)` reads on a replica; None where the primary has to be asked. Where the primary is away and
        nothing is kept, what `may_be_old` is read as a replica has it. Errors of the work pass through.
        """
        replica = self._whose_turn()
        if replica is None:
            return None
        wanted = await self._wanted()
        blind = wanted is None and may_be_old and self._lost > 1 and not self._keeps()
        if wanted is None and not blind:
            return None
        try:
            async with replica.db.read() as tx:
                if wanted is not None:
                    await replica.reach(tx, wanted)
                    replica.late = False
                return Found(await work(tx))
        except Late:
            replica.late = True
            self._wake.set()
        except (*BROKEN, NotOurs) as error:
            replica.leave_out(str(error))
        except PASSING:
            pass
        return None

    def _whose_turn(self) -> Replica | None:
        well = [replica for replica in self.all if not replica.wrong]
        self._turn += 1
        return well[self._turn % len(well)] if well else None

    async def _wanted(self) -> Position | None:
        """How far the primary is, asked after this call; None where that is not known."""
        with suppress(ShopError, asyncpg.PostgresError):
            return await self._written.do(None)
        return None

    async def _ask(self, who: list[None]) -> list[Position | None]:
        try:
            async with self._primary.read() as tx:
                row = await tx.row(WRITTEN)
        except Busy:
            raise
        except Exception:
            self._lost += 1
            raise
        self._lost = 0
        return [Position(row["server"], row["timeline"], row["at"]) if row else None] * len(who)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SHORTEST_BEAT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), BEAT - SHORTEST_BEAT)
            self._wake.clear()
            try:
                await self.look()
            except Exception as error:
                log.error("replicas cannot be looked at", exc_info=error)

    async def look(self) -> None:
        """Look at each: leave it out, or take it back. While the primary is away what answers stays as it is."""
        asked, position = monotonic(), await self._wanted()
        if position is not None:
            self._positions.append((asked, position.at))
        states = await asyncio.gather(*(self._state(replica) for replica in self.all))
        after = await self._wanted()
        for replica, state in zip(self.all, states, strict=True):
            if isinstance(state, str):
                replica.leave_out(state)
            elif after is not None:
                self._judge(replica, state, after)
            USED.of(replica.name).set(not replica.wrong)
            BEHIND.of(replica.name).set(min(monotonic() - replica.level_at, 1e9))
        if any(replica.late and not replica.wrong for replica in self.all):
            with suppress(ShopError, asyncpg.PostgresError):
                async with self._primary.tx() as tx:
                    await tx.value(NUDGE)
        for replica in self.all:
            replica.late = False

    @staticmethod
    async def _state(replica: Replica) -> Row | str | None:
        """What a replica says of itself, or why it says nothing."""
        try:
            async with asyncio.timeout(LOOK_SECONDS), replica.watched.read() as tx:
                return await tx.row(STATE)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not read
            cause = error.__cause__ or error
            return (str(cause) or type(cause).__name__).rstrip(".")

    def _judge(self, replica: Replica, state: Row | None, primary: Position) -> None:
        try:
            has = judged(state, primary)
        except NotOurs as error:
            replica.leave_out(str(error))
            return
        if has.at > primary.at:
            replica.leave_out("it is ahead of the primary, which was put back")
            return
        level = [asked for asked, at in self._positions if at <= has.at]
        replica.level_at = max(replica.level_at, *level) if level else replica.level_at
        if monotonic() - replica.level_at > MOST_BEHIND:
            replica.leave_out("it is behind")
        elif replica.wrong:
            log.info("a replica is used", replica=replica.name)
            replica.wrong = ""


def names(urls: Sequence[str]) -> list[str]:
    """What replicas are called: host and port, or their place in the list where they have none."""
    places = [urlsplit(url) for url in urls]
    return [f"{at.hostname}:{at.port or 5432}" if at.hostname else f"replica {n}" for n, at in enumerate(places, 1)]


def of(
    primary: Database, urls: Sequence[str], open_at: Callable[[str, bool], Database], keeps: Callable[[], bool]
) -> Replicas:
    """The replicas at some addresses; `open_at(url, reads)` gives a way to read there, or one to look."""
    found = [
        Replica(name, open_at(url, True), open_at(url, False)) for name, url in zip(names(urls), urls, strict=True)
    ]
    return Replicas(primary, found, keeps)
