"""Who works out the alerts of an installation: one of its processes at a time, the next one when that is gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from typing import Final

import structlog

from tfmshop.commerce import inventory
from tfmshop.platform import Platform, done, jobs
from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe import metrics, readings
from tfmshop.platform.observe.alerts import Engine, Firing
from tfmshop.platform.observe.alerts.channels import Channel, tell
from tfmshop.platform.observe.process import METRICS
from tfmshop.surface.alerts import alerts_of

TICK_SECONDS: Final = 5.0
FACTS_SECONDS: Final = 10.0
"""How often PostgreSQL is asked what waits there, and how late it is."""
TRIED_AGAIN: Final = (15.0, 60.0, 240.0)
"""Seconds after which somebody is told again who could not be reached."""

log = structlog.get_logger("alerts")


class Watchman:
    """Looks at what is measured every few seconds while it has the lock of the installation."""

    def __init__(self, platform: Platform, channels: list[Channel]) -> None:
        self._platform = platform
        self._channels = channels
        self._home = platform.config.home / METRICS
        self._task: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    async def __aenter__(self) -> None:
        """Begin to look, or to wait for one's turn."""
        self._task = asyncio.create_task(self._watch())

    async def __aexit__(self, *_: object) -> None:
        """Look no more; what is being told is told."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._telling is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._telling), 5)

    async def _watch(self) -> None:
        with suppress(OSError):
            self._home.mkdir(parents=True, exist_ok=True, mode=0o750)
        try:
            lock = os.open(self._home / "watch.lock", os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            log.warning("no alerts are worked out", folder=str(self._home), why=error.strerror)
            return
        try:
            while not _taken(lock):  # noqa: ASYNC110 - nobody tells that another process ended
                await asyncio.sleep(TICK_SECONDS)
            config = self._platform.config
            engine = Engine(alerts_of(config), self._home, 3600.0 * config.number("ALERT_REPEAT_HOURS"))
            while True:
                await self._look(engine)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            os.close(lock)

    async def _look(self, engine: Engine) -> None:
        try:
            await self._ask()
            metrics.sample()
            reading = await asyncio.to_thread(readings.read)
            due = engine.tick(reading)
        except Exception as error:
            log.error("alerts are not worked out", exc_info=error)
            return
        if due:
            before = self._telling

            async def say() -> None:
                if before is not None:
                    await asyncio.wait([before])
                await self._tell(due)

            self._telling = asyncio.create_task(say())

    async def _tell(self, due: list[Firing]) -> None:
        """Tell everybody; who cannot be reached is tried again a few times."""
        channels, shop = self._channels, self._platform.config.text("SHOP_NAME")
        for pause in (*TRIED_AGAIN, None):
            failed = await tell(channels, shop, due)
            channels = [channel for channel in channels if channel.name in failed]
            if not channels or pause is None:
                return
            await asyncio.sleep(pause)

    async def _ask(self) -> None:
        """Measure what only PostgreSQL knows; where it does not answer, others tell of that."""
        now = monotonic()
        if now - self._asked_at < FACTS_SECONDS:
            return
        self._asked_at = now
        with suppress(ShopError):
            async with self._platform.db.read() as tx:
                await jobs.measure(tx)
                await done.measure(tx, wanted=self._platform.config.text("APP_ENV") == "production")
                await inventory.measure(tx)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
