"""Whether what the shop needs is there: asked four times a second at most, however often somebody wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from tfmshop.platform import clock
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Query, WrongServer, check_server, migrate
from tfmshop.platform.errors import Busy, ShopError
from tfmshop.platform.observe.metrics import Gauge, Over

if TYPE_CHECKING:
    from tfmshop.platform import Platform
    from tfmshop.platform.db.replicas import Replica

log = structlog.get_logger("checks")

UP = Gauge("tfmshop_dependency_up", "1 where every process reaches what it needs: postgresql, redis, each replica.",
           "dependency", over=Over.LEAST)  # fmt: skip
LATENCY = Gauge("tfmshop_dependency_latency_seconds", "How long the last look at a dependency took.", "dependency",
                over=Over.MOST)  # fmt: skip
LOOK = Query(
    "platform.look", "SELECT current_setting('server_version') AS server, version_num FROM public.alembic_version"
)
HOLDS_SECONDS: Final = 0.25
EVERY_SECONDS: Final = 5.0
"""How often somebody looks when nobody asks."""


class Seen(msgspec.Struct, omit_defaults=True):
    """One dependency: `ok` or `down`, its version, how long it took to find out, and the last error with its moment."""

    status: str
    version: str = ""
    milliseconds: float = 0.0
    last_error: str = ""
    last_error_at: str = ""


class Checks:
    """The checks of one process."""

    def __init__(self, platform: Platform) -> None:
        self._db = platform.db
        self._url = platform.config.text("DATABASE_URL")
        self._asks: dict[str, Callable[[], Awaitable[str]]] = {
            "postgresql": self._database, "redis": platform.redis.version,
        }  # fmt: skip
        for replica in self._db.replicas.all if self._db.replicas else ():
            self._asks[f"replica {replica.name}"] = partial(_state_of, replica)
        self.seen = {name: Seen("down") for name in self._asks}
        self.schema = ""
        """The revision that the schema had when PostgreSQL was there last."""
        self._gone_at: float | None = None
        """The moment, of `clock.monotonic`, since which PostgreSQL has not answered."""
        self.leaves = False
        """Whether this process ends soon, and takes no more requests than it has."""
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def look(self) -> dict[str, Seen]:
        """Each dependency as it is now, or was a quarter of a second ago."""
        if monotonic() - self._looked_at >= HOLDS_SECONDS:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        return self.seen

    async def can_work(self) -> bool:
        """Whether PostgreSQL answers, and its schema is at least that of this release."""
        seen = await self.look()
        return seen["postgresql"].status == "ok" and self.schema >= migrate.newest()

    async def __aenter__(self) -> None:
        """Look now and then, for the metrics."""
        self._watching = asyncio.create_task(self._watch())

    async def __aexit__(self, *_: object) -> None:
        """Look no more."""
        tasks = [task for task in (self._watching, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def _look(self) -> None:
        await asyncio.gather(*(self._ask(name, ask) for name, ask in self._asks.items()))
        self._looked_at = monotonic()

    async def _database(self) -> str:
        async with self._db.read() as tx:
            row = await tx.row(LOOK)
        assert row is not None  # noqa: S101 - migrations leave one
        self.schema = row["version_num"]
        return str(row["server"]).partition(" ")[0]

    async def _ask(self, name: str, ask: Callable[[], Awaitable[str]]) -> None:
        seen, started = self.seen[name], monotonic()
        try:
            seen.version = await ask()
            seen.status = "ok"
        except Busy:
            await self._past_the_pool(seen)
        except (ShopError, OSError) as error:
            _note(seen, error)
        except Exception as error:
            log.error("a dependency cannot be looked at", dependency=name, exc_info=error)
            _note(seen, error)
        seconds = monotonic() - started
        seen.milliseconds = round(1000 * seconds, 2)
        LATENCY.of(name).set(seconds)
        UP.of(name).set(seen.status == "ok")
        if name == "postgresql":
            self._tell(seen)

    def _tell(self, seen: Seen) -> None:
        """Log where PostgreSQL goes and where it comes back; whoever looks after Redis or a replica does so there."""
        if seen.status != "ok" and self._gone_at is None:
            self._gone_at = monotonic()
            log.error("postgresql cannot be used: nothing can be sold until it can", reason=seen.last_error)
        elif seen.status == "ok" and self._gone_at is not None:
            away, self._gone_at = monotonic() - self._gone_at, None
            log.info("postgresql is back", away_seconds=round(away, 1))

    async def _past_the_pool(self, seen: Seen) -> None:
        """Whether PostgreSQL is there although no connection of ours came free: that is another trouble."""
        try:
            async with asyncio.timeout(2):
                await check_server(self._url)
            seen.status = "ok"
        except (WrongServer, TimeoutError) as error:
            _note(seen, error)


async def _state_of(replica: Replica) -> str:
    if replica.wrong:
        raise ConnectionError(replica.wrong)
    return ""


def _note(seen: Seen, error: Exception) -> None:
    seen.status = "down"
    seen.last_error = (str(error) or type(error).__name__)[:200]
    seen.last_error_at = clock.now().isoformat(timespec="seconds")
