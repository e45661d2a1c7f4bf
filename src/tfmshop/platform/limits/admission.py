"""How many requests a process works on at once: as many as it is quick with, found by trying, and a part kept for some.

Work that takes a database connection waits for one when there is too much of it; work that computes makes the event
loop late. Both are measured, and the number goes down by a tenth while either is too long and up by one while all
places are taken and neither is (additive increase, multiplicative decrease: Chiu and Jain, "Analysis of the increase
and decrease algorithms for congestion avoidance", 1989). What comes beyond that waits in line. A line that is slow for
a while will not become faster by waiting (Nichols and Jacobson, "Controlling queue delay", ACM Queue, 2012): from then
on who finds no place is turned away at once, until places are free again. Who comes first goes on waiting, and so
does news, in a small line of its own: who sends it comes again at once, or only in an hour.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from enum import IntEnum
from math import ceil
from typing import Final

import structlog

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.pool import PoolStatistics
from tfmshop.platform.errors import Kind, ShopError

LEAST, MOST = 4, 256
"""Places of a process."""
BEGIN: Final = 16
KEPT: Final = 0.2
"""The part of the places that only who comes first may take. News may take no more than that of the rest; and news and
others come before who comes first while they have less.
"""
PATIENCE, LONG_PATIENCE = 1.0, 10.0
"""Seconds that others wait for a place, and who comes first and news: those only while connections come free."""
SLOW: Final = 0.1
"""Seconds that the next in line may have waited."""
BURST: Final = 1.0
"""Seconds that the line may be slow, and after which a flood is over when nobody was turned away."""
LINE, LINE_OF_FIRST = 200, 1000
"""How many may wait at least, and of those who come first; more where so many get a place within their patience, but
not of news, which anybody may send.
"""
TICK: Final = 0.05
TOO_LATE: Final = 0.015
"""Seconds by which the event loop may be late."""
TOO_LONG: Final = 0.015
"""Seconds that work may wait for a database connection, on average."""

log = structlog.get_logger("http")


class Overloaded(
    ShopError, kind=Kind.UNAVAILABLE, code="overloaded", says="The shop has too much to do. Try again in a moment."
):
    """There was no place, or none came free in time."""


class Line(IntEnum):
    """Where a request waits for its place."""

    FIRST = 0
    """May take the places that are kept."""
    NEWS = 1
    """What machines tell: a few places, but a flood of others does not turn it away."""
    OTHERS = 2


_EVERY: Final = tuple(Line)


class Admission:
    """The places of this process, whose work takes connections of a pool with these numbers."""

    def __init__(self, pool: PoolStatistics) -> None:
        self._pool = pool
        self._seen = (pool.acquired, pool.waited_seconds)
        self._timed_out = pool.timed_out
        self.places = float(BEGIN)
        self.turned_away = 0
        self._held = [0 for _ in Line]
        self._full = self._refused = False
        """Whether there was no place for others, and one of them was refused, since the last look."""
        self._slow_since: float | None = None
        self._flooded = False
        self._refused_at = 0.0
        self._starved_at = -BURST
        """When somebody with a place last found no connection."""
        self._left, self._rate = 0, 0.0
        """Places that were given back since the last look, and in a second of late."""
        self._waiting = tuple(deque[tuple[float, asyncio.Future[bool]]]() for _ in Line)
        self._next: asyncio.TimerHandle | None = None
        self._due = 0.0

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return sum(self._held)

    def hopeless(self, line: Line) -> bool:
        """Whether one more would wait in vain: `turn_away` tells of who is then refused."""
        if self._is_free(line):
            return False
        patience = self._patience(line)
        return not patience or len(self._waiting[line]) >= self._longest(line, patience)

    def has_room(self) -> bool:
        """Whether a place is free for others, and none of them waits for it."""
        return self._is_free(Line.OTHERS) and not self._waiting[Line.OTHERS]

    def turn_away(self, line: Line) -> None:
        """Count somebody who was refused."""
        self.turned_away += 1
        self._note_full()
        self._refused = self._refused or line is Line.OTHERS

    def place(self, line: Line) -> Place:
        """A place for the block: `async with`. `Overloaded`."""
        return Place(self, line)

    async def enter(self, line: Line) -> None:
        """Take a place until `leave`. `Overloaded`."""
        if self._next is None:
            self._look_again()
        if self._is_free(line) and not self._waiting[line]:
            self._held[line] += 1
            return
        self._note_full()
        if self.hopeless(line):
            self.turn_away(line)
            raise Overloaded
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[line].append((monotonic(), turn))
        try:
            came = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave(line)
            raise
        if not came:
            self.turn_away(line)
            raise Overloaded

    def leave(self, line: Line) -> None:
        """Give a place back."""
        self._held[line] -= 1
        self._left += 1
        self._let_in()

    def _note_full(self) -> None:
        """News may find no place while others do: that calls for no more places."""
        self._full = self._full or not self._is_free(Line.OTHERS)

    def _longest(self, line: Line, patience: float) -> float:
        if line is Line.NEWS:
            return LINE
        return max(LINE_OF_FIRST if line is Line.FIRST else LINE, self._rate * patience)

    def _patience(self, line: Line) -> float:
        if line is Line.OTHERS:
            return 0.0 if self._flooded and not self._has_little(line) else PATIENCE
        return PATIENCE if monotonic() - self._starved_at < BURST else LONG_PATIENCE

    def _is_free(self, line: Line) -> bool:
        first, news, others = self._held
        if line is Line.FIRST:
            return first + news + others < self.places
        kept = ceil(KEPT * self.places)
        return (
            first + news + others < self.places
            and news + others < self.places - kept
            and (line is Line.OTHERS or news < kept)
        )

    def _has_little(self, line: Line) -> bool:
        return self._held[line] < KEPT * self.places

    def _let_in(self) -> None:
        now = monotonic()
        if self._pool.timed_out != self._timed_out:  # who had a place found no connection: a line only adds its length
            self._timed_out = self._pool.timed_out
            self._flood(now, "connections do not come free in time")
            self._starved_at = now
        for line in _EVERY:
            came, waiting = now - self._patience(line), self._waiting[line]
            while waiting and (waiting[0][1].done() or waiting[0][0] < came):
                _, turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(False)
        while (free := self._next_line()) is not None:
            _, turn = self._waiting[free].popleft()
            if not turn.done():
                self._held[free] += 1
                turn.set_result(True)

    def _next_line(self) -> Line | None:
        """Who gets a place: who comes first, but for a part of the places that a long line of those leaves the rest."""
        little = [line for line in (Line.NEWS, Line.OTHERS) if self._has_little(line)]
        for line in (*little, *_EVERY):
            if self._waiting[line] and self._is_free(line):
                return line
        return None

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = monotonic() + TICK
        self._next = loop.call_later(TICK, self._look)

    def _look(self) -> None:
        """Find the number of places anew, and tell who waited too long."""
        now = monotonic()
        late = now - self._due
        acquired, waited = self._seen
        self._seen = (self._pool.acquired, self._pool.waited_seconds)
        long = self._seen[1] - waited > TOO_LONG * max(1, self._seen[0] - acquired)
        if late > TOO_LATE or long:
            self.places = max(LEAST, self.places * 0.9)
        elif self._full:
            self.places = min(MOST, self.places + 1)
        self._judge(now)
        self._rate += 0.2 * (self._left / (TICK + max(0.0, late)) - self._rate)
        self._full, self._refused, self._left = False, False, 0
        self._let_in()
        if self.taken or self._flooded or any(self._waiting):
            self._look_again()
        else:
            self._next = None

    def _judge(self, now: float) -> None:
        """Find out whether it is a flood, or one no more."""
        line = self._waiting[Line.OTHERS]
        if self._flooded:
            self._refused_at = now if self._refused else self._refused_at
            self._flooded = now - self._refused_at < BURST
            if not self._flooded:
                log.info("there are places for everybody again", places=round(self.places))
        elif not line or now - line[0][0] < SLOW:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
        elif now - self._slow_since >= BURST:
            self._flood(now, "the line is slow")

    def _flood(self, now: float, why: str) -> None:
        """From now on none of the others waits in line."""
        if not self._flooded:
            log.warning("there is more to do than can be done: who finds no place is turned away", why=why,
                        places=round(self.places), turned_away=self.turned_away)  # fmt: skip
        self._flooded, self._slow_since, self._refused_at = True, None, now


class Place:
    """A place for the time of a block."""

    __slots__ = ("_admission", "_holds", "_line")

    def __init__(self, admission: Admission, line: Line) -> None:
        self._admission = admission
        self._line = line
        self._holds = False

    async def __aenter__(self) -> None:
        """Wait for the place. `Overloaded`."""
        await self._admission.enter(self._line)
        self._holds = True
        _PLACE.set(self)

    async def __aexit__(self, *_: object) -> None:
        """Give it back."""
        self.give_back()

    def give_back(self) -> None:
        """Let somebody else have it, from now on: what is left of the block makes no work."""
        if self._holds:
            self._holds = False
            self._admission.leave(self._line)


_PLACE: ContextVar[Place] = ContextVar("_PLACE")


async def idle(seconds: float) -> None:
    """Wait, without the place of the request, which it does not take again: it has only its answer left to give."""
    if (place := _PLACE.get(None)) is not None:
        place.give_back()
    await asyncio.sleep(seconds)
