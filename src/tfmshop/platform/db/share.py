"""A part of a pool for one kind of work, with a patient queue in front of it."""

from __future__ import annotations

import asyncio

from tfmshop.platform.db.pool import Connection, Pool
from tfmshop.platform.errors import Busy


class Share:
    """At most `maximum` connections of a pool at once; who comes later waits in turn, `patience_seconds` at most.

    A rush of one kind of work then neither takes every connection from the others nor is turned away after the pool's
    own short wait.
    """

    def __init__(self, pool: Pool, maximum: int, patience_seconds: float) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(maximum)
        self._patience = patience_seconds

    async def acquire(self) -> Connection:
        """A connection when it is one's turn. `Busy` when that does not come in time."""
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            return await self._pool.acquire()
        except BaseException:
            self._turns.release()
            raise

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Give a connection back; `broken` throws it away."""
        self._pool.release(connection, broken=broken)
        self._turns.release()
