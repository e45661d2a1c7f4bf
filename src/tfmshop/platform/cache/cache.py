"""The cache of one process: memory over Redis, one maker for each value, and nothing handed out that a change undid.

`peek` answers at once from memory. `get` makes what is not there: one task for all who ask, one process for all
processes. What is made is kept only if nothing that it was made of became stale since the making began; who asks after
a change never gets a value whose making began before it.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

import structlog

from tfmshop.platform.cache.asked import Asked
from tfmshop.platform.cache.entry import EVERYTHING, Entry, Kind, Made
from tfmshop.platform.cache.memory import Memory
from tfmshop.platform.cache.shared import Shared, Ticket
from tfmshop.platform.cache.tally import Tally
from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import DatabaseUnavailable, ShopError
from tfmshop.platform.errors import Kind as ErrorKind

V = TypeVar("V")
WARM: Final = "+"
"""What is told instead of a tag to have `warm` called."""
PATTERN: Final = "~"
"""A tag that begins so makes stale what has the rest of it in its key."""
EARLY: Final = 3.0
"""So many times the seconds that a value took to make, it may be made anew before its time at most (see `_early`)."""
MOST_STAMPS: Final = 20_000
NEWS: Final = "#"
"""A tag that begins so makes nothing stale: it names what all processes hear of, so that Redis is told of it once."""
OFTEN: Final = 3
"""Times that something was handed out from which it is worth to make it anew before somebody asks."""

log = structlog.get_logger("cache")


@dataclass(slots=True)
class _Flight(Generic[V]):
    """A value that is being made."""

    task: asyncio.Task[Made[V] | None]
    began: int
    waiting: int = 0


class Cache:
    """Everything that this process may hand out again. It hands out nothing before `trust`, and after `doubt`."""

    def __init__(self, memory: Memory, shared: Shared | None = None) -> None:
        self.memory = memory
        self.tallies: dict[str, Tally] = {}
        self.asked = Asked()
        self.warm: Callable[[], None] | None = None
        self.warming = 0
        """How often `warm` is under way."""
        self.often_gone: Callable[[list[Entry]], None] | None = None
        self.sure = False
        self._shared = shared
        self._flights: dict[str, _Flight[Any]] = {}
        self._stamps: dict[str, int] = {}
        self._clock = self._floor = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def peek(self, key: str, now: float) -> Entry | None:
        """What memory has and may be handed out, counted as a hit; the caller looks whether it is `due`. `now` is of
        `clock.monotonic`.
        """
        entry = self.look(key, now)
        if entry is not None:
            self.count(entry)
        return entry

    def look(self, key: str, now: float) -> Entry | None:
        """The same, and not counted."""
        entry = self.memory.get(key) if self.sure else None
        return None if entry is None or now > entry.stale_until else entry

    def count(self, entry: Entry) -> None:
        """Count an entry as handed out."""
        entry.hits += 1
        entry.tally.hits += 1

    def is_near(self, key: str, now: float) -> bool:
        """Whether a value is in memory, or being made."""
        return key in self._flights or self.look(key, now) is not None

    def due(self, entry: Entry, now: float) -> bool:
        """Whether an entry should be made anew now, beside handing it out."""
        left = entry.fresh_until - now
        return left < EARLY * entry.seconds and not entry.refreshing and (left <= 0 or _early(left, entry.seconds))

    async def get(self, kind: Kind[V], key: str, make: Callable[[], Awaitable[Made[V]]]) -> V:
        """A value, made with `make` where there is none. Its errors pass through, unless an old value is there and the
        database is not.
        """
        tally = self.tally(kind)
        entry = self.peek(key, now := monotonic())
        if entry is not None:
            if self.due(entry, now):
                self.refresh(entry, make)
            value: V = entry.value
            return value
        tally.misses += 1
        try:
            return await self._made(kind, key, make)
        except ShopError as error:
            old = self.memory.get(key)
            away = error.kind is ErrorKind.UNAVAILABLE if self.sure else isinstance(error, DatabaseUnavailable)
            if not away or old is None:
                raise
            tally.saved += 1
            kept: V = old.value
            return kept

    async def fill(self, kind: Kind[V], key: str, make: Callable[[], Awaitable[Made[V]]]) -> None:
        """Have a value in memory before somebody asks for it."""
        if self.sure and self.memory.get(key) is None:
            await self._made(kind, key, make, asked=False)

    def refresh(self, entry: Entry, make: Callable[[], Awaitable[Made[Any]]]) -> None:
        """Make an entry anew in the background, unless that happens already, here or in another process."""
        entry.refreshing = True
        self.tally(entry.kind).stale += 1
        self._start(self._refreshed(entry, make))

    def stale(self, tags: Iterable[str]) -> None:
        """Hand out nothing more that has one of these tags, here at once and by way of Redis. `often_gone` hears what
        of it was handed out often.
        """
        heard, gone = list(tags), []
        tags = [tag for tag in heard if not tag.startswith(NEWS)]
        if tags == [WARM]:
            if self.warm is not None:
                self.warm()
            return
        self._clock += 1
        for tag in tags:
            if tag == EVERYTHING:
                self._floor = self._clock
                gone += list(self.memory)
                self.memory.clear()
            elif tag.startswith(PATTERN):
                self._floor = self._clock
                gone += [entry for entry in self.memory if tag[1:] in entry.key]
            else:
                self._stamps[tag] = self._clock
                gone += self.memory.tagged(tag)
        for entry in gone:
            self.memory.drop(entry.key)
        if len(self._stamps) > MOST_STAMPS:
            self._stamps.clear()
            self._floor = self._clock
        if self._shared is not None:
            told = [EVERYTHING if tag.startswith(PATTERN) else tag for tag in tags]
            self._start(self._shared.stale(told, ",".join(heard) if len(heard) > len(tags) else ""))
        often = [entry for entry in gone if entry.hits >= OFTEN]
        if often and self.often_gone is not None:
            self.often_gone(often)

    def doubt(self) -> None:
        """Nobody tells what is stale any more: hand out nothing but where the database is away."""
        self.sure = False

    def trust(self) -> None:
        """From now on every change is told: begin anew, in Redis too, because what was told meanwhile is not known."""
        self._clock += 1
        self._floor = self._clock
        self._stamps.clear()
        self.memory.clear()
        self.sure = True
        if self._shared is not None:
            self._start(self._shared.stale([EVERYTHING]))

    async def close(self) -> None:
        """Wait for what is being made."""
        self.sure = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def tally(self, kind: Kind[Any]) -> Tally:
        """The numbers of a kind."""
        found = self.tallies.get(kind.name)
        if found is None:
            found = self.tallies[kind.name] = Tally()
        return found

    async def _made(self, kind: Kind[V], key: str, make: Callable[[], Awaitable[Made[V]]], *, asked: bool = True) -> V:
        arrived = self._clock
        while True:
            flight = self._flights.get(key)
            if flight is None or flight.task.done():
                flight = _Flight(self._start(self._make(kind, key, make, asked=asked)), self._clock)
                self._flights[key] = flight
                flight.task.add_done_callback(partial(self._landed, key))
            else:
                self.tally(kind).waits += 1
            made = await self._wait(key, flight)
            assert made is not None  # noqa: S101 - who waits gets a value
            if flight.began >= arrived or not self._undone(made.tags, flight.began):
                value: V = made.value
                return value

    async def _wait(self, key: str, flight: _Flight[V]) -> Made[V] | None:
        """What is being made; when the last who waits gives up, it is made no further."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                self._flights.pop(key, None)
                flight.task.cancel()
            raise
        finally:
            flight.waiting -= 1

    def _landed(self, key: str, task: object) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]

    async def _make(
        self, kind: Kind[V], key: str, make: Callable[[], Awaitable[Made[V]]], old: Entry | None = None, *,
        asked: bool = False,
    ) -> Made[V] | None:  # fmt: skip
        """A value from another process, or made here and kept. Of an `old` one a younger is wanted; None when another
        process makes that. Whether somebody `asked` for it is for the numbers.
        """
        began, ticket = self._clock, Ticket()
        if self._shared is not None and self.sure and kind.pack is not None:
            found = await self._shared.look(kind, key, monotonic() - old.born if old else None)
            if found is None:
                return None
            if isinstance(found, Ticket):
                ticket = found
            elif self._keep(kind, key, found.made, found.seconds, began, found.age):
                self.tally(kind).shared += asked
                return found.made
        started = monotonic()
        made = None
        try:
            made = await make()
        finally:
            seconds = monotonic() - started
            kept = made if made is not None and self._keep(kind, key, made, seconds, began) else None
            if self._shared is not None:
                self._start(self._shared.put(kind, key, kept, ticket, seconds))
        self.tally(kind).made(seconds)
        return made

    async def _refreshed(self, entry: Entry, make: Callable[[], Awaitable[Made[Any]]]) -> None:
        try:
            await self._make(entry.kind, entry.key, make, entry)
        except ShopError as error:
            log.warning("a value could not be made anew", name=entry.kind.name, reason=str(error))
        finally:
            entry.refreshing = False

    def _keep(self, kind: Kind[V], key: str, made: Made[V], seconds: float, began: int, age: float = 0) -> bool:
        """Keep a value in memory, if nothing of it became stale since its making began; whether it may be kept."""
        if made.fresh is not None and not made.fresh:
            return False
        if not self.sure or self._undone(made.tags, began):
            return False
        self.memory.put(Entry(kind, key, made, self.tally(kind), seconds, age))
        return True

    def _undone(self, tags: frozenset[str], after: int) -> bool:
        """Whether something with one of these tags became stale after a moment of this process's clock."""
        return after < self._floor or any(after < self._stamps.get(tag, 0) for tag in tags)

    def _start(self, work: Coroutine[Any, Any, V]) -> asyncio.Task[V]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _early(left: float, seconds: float) -> bool:
    """Whether this is the one of many askers that makes a value before its time: the likelier, the nearer its end and
    the longer it takes (XFetch: Vattani et al., "Optimal probabilistic cache stampede prevention", VLDB 2015).
    """
    return -seconds * math.log(1 - random.random()) >= left  # noqa: S311 - chance, not a secret
