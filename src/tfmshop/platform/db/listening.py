"""Hearing what PostgreSQL tells: a connection of its own that listens, and is made again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog

from tfmshop.platform.db.database import Options, open_connection
from tfmshop.platform.db.faults import LOST

BEAT_SECONDS: Final = 1.0
"""How often the connection is tried, and how long the answer may take."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0

log = structlog.get_logger("db")


class Listener:
    """Calls `hear(message)` for each message of a channel; `lost` when no message may come through any more, and
    `back` when every message does, which may have missed some.
    """

    def __init__(
        self, url: str, channel: str, *, hear: Callable[[str], None], back: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:  # fmt: skip
        self._url = url
        self._channel = channel
        self._hear, self._back, self._lost = hear, back, lost
        self._task: asyncio.Task[None] | None = None
        self._began = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen; returns when it does, or after a first try that failed."""
        self._task = asyncio.create_task(self._run())
        await self._began.wait()

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await open_connection(self._url, Options(name="tfmshop listener", connect_seconds=2.0))
            except (*LOST, TimeoutError, asyncpg.PostgresError):
                self._began.set()
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
                continue
            pause = FIRST_PAUSE
            try:
                await self._listen(connection)
            finally:
                self._lost()
                connection.terminate()
            log.warning("the connection that hears of changes was lost", channel=self._channel)

    async def _listen(self, connection: Any) -> None:
        gone = asyncio.Event()

        def ended(_: Any) -> None:
            self._lost()
            gone.set()

        connection.add_termination_listener(ended)
        try:
            await connection.add_listener(self._channel, lambda *message: self._hear(message[3]))
            self._back()
            self._began.set()
            while not gone.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), BEAT_SECONDS)
                    return
                await connection.execute("SELECT 1", timeout=BEAT_SECONDS)
        except (*LOST, TimeoutError, asyncpg.PostgresError):
            return
