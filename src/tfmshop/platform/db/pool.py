"""A pool of connections: bounded, last-in first-out, with a bounded wait, healing by itself.

asyncpg's own pool starts two tasks for each acquire and release and asks the server to reset the session each time;
this one costs neither (decisions/0006-own-pool.md). A connection that broke, was cancelled in the middle of a
statement, or turned read-only is thrown away, so what is handed out is always clean.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Busy

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection


@dataclass(slots=True)
class PoolStatistics:
    """Counters since the process began; seconds of waiting are summed."""

    acquired: int = 0
    waited: int = 0
    waited_seconds: float = 0.0
    timed_out: int = 0
    opened: int = 0
    dropped: int = 0


class Pool:
    """At most `maximum` connections made by `connect`; a caller waits at most `patience_seconds`, then `Busy`.

    Connections are opened beside the callers: one that takes long, from a server that hangs, does not keep them longer.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        minimum: int,
        maximum: int,
        patience_seconds: float,
    ) -> None:
        self._connect = connect
        self._minimum = minimum
        self.maximum = maximum
        """Connections that may be open at once."""
        self._patience = patience_seconds
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection]] = deque()
        self._open = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False
        self.statistics = PoolStatistics()

    @property
    def in_use(self) -> int:
        """Connections handed out or being opened."""
        return self._open - len(self._idle)

    @property
    def size(self) -> int:
        """Connections open or being opened."""
        return self._open

    @property
    def waiting(self) -> int:
        """Callers waiting for a connection."""
        return len(self._waiters)

    async def fill(self) -> None:
        """Open the minimum number of connections, however long that takes. Errors of connecting pass through."""
        for _ in range(self._minimum):
            self._open += 1
            try:
                connection = await self._connect()
            except BaseException:
                self._forget()
                raise
            self.statistics.opened += 1
            self._hand_over(connection)

    async def acquire(self) -> Connection:
        """A clean connection. `Busy` when none came free in time; errors of connecting pass through."""
        if self._closed:
            raise Busy
        self.statistics.acquired += 1
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget()
        if self._open < self.maximum:
            self._open += 1
            self._begin_to_open()
        return await self._wait()

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Give a connection back; `broken` throws it away."""
        if broken or self._closed or connection.is_closed():
            connection.terminate()
            self._replace()
        else:
            self._hand_over(connection)

    async def close(self) -> None:
        """Close every idle connection now and the others as they come back."""
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(Busy())
        for opening in self._opening:
            opening.cancel()
        idle, self._idle = self._idle, []
        for connection in idle:
            self._open -= 1
            try:
                await connection.close(timeout=1)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    def _begin_to_open(self) -> None:
        opening = asyncio.get_running_loop().create_task(self._open_one(), context=Context())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open_one(self) -> None:
        """Open a connection for whoever waits; an error of connecting is that of who waits longest."""
        try:
            connection = await self._connect()
        except Exception as error:  # noqa: BLE001 - it is that of who waits
            waiter = self._next()
            if waiter is not None:
                waiter.set_exception(error)
            self._replace()
        except BaseException:
            self._forget()
            raise
        else:
            self.statistics.opened += 1
            self._hand_over(connection)

    def _replace(self) -> None:
        """A connection is gone: open another where somebody waits for one."""
        if any(not waiter.done() for waiter in self._waiters) and not self._closed:
            self._begin_to_open()
        else:
            self._forget()

    async def _wait(self) -> Connection:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection] = loop.create_future()
        self._waiters.append(waiter)
        started = monotonic()
        alarm = loop.call_later(self._patience, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._hand_over(waiter.result())
            raise
        finally:
            alarm.cancel()
            self.statistics.waited += 1
            self.statistics.waited_seconds += monotonic() - started

    def _give_up(self, waiter: asyncio.Future[Connection]) -> None:
        if not waiter.done():
            self.statistics.timed_out += 1
            waiter.set_exception(Busy())

    def _hand_over(self, connection: Connection) -> None:
        """Pass a connection to the next waiter, or keep it."""
        waiter = self._next()
        if waiter is not None:
            waiter.set_result(connection)
        elif self._closed:
            connection.terminate()
            self._forget()
        else:
            self._idle.append(connection)

    def _next(self) -> asyncio.Future[Connection] | None:
        """Who waits longest, and waits no longer."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _forget(self) -> None:
        self._open -= 1
        self.statistics.dropped += 1
