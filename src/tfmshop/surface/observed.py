"""A process that goes on, seen: measured where others can read it, its log files kept tidy, its alerts worked out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from tfmshop.platform import Platform, clock, jobs, measures
from tfmshop.platform.checks import Checks
from tfmshop.platform.observe import traces
from tfmshop.platform.observe.alerts.channels import Channel
from tfmshop.platform.observe.files import FOLDER, tidy
from tfmshop.platform.observe.metrics import CELLS
from tfmshop.platform.observe.process import METRICS, Ticker
from tfmshop.surface.watchman import Watchman

TIDY_SECONDS: Final = 60.0
"""How often a process looks whether there are log files of days that are over."""

log = structlog.get_logger("app")


@asynccontextmanager
async def watched(platform: Platform, role: str, checks: Checks, channels: list[Channel]) -> AsyncIterator[None]:
    """See this process while the block runs, `role` being web, jobs or clock."""
    home = platform.config.home
    try:
        CELLS.keep_in(home / METRICS, role)
    except OSError as error:
        log.warning("each process is measured by itself", folder=str(home / METRICS), why=error.strerror)
    ending = measures.of(platform)
    tidying = asyncio.create_task(_tidy(home / FOLDER, platform.config.number("LOG_DAYS")))
    jobs.RUNNERS.of().set(role == "jobs")
    try:
        async with Ticker(home), checks, Watchman(platform, channels):
            yield
    finally:
        tidying.cancel()
        await asyncio.to_thread(traces.stop)
        ending()
        CELLS.leave()


async def _tidy(folder: Path, days: int) -> None:
    while True:
        with suppress(OSError):
            await asyncio.to_thread(tidy, folder, clock.now().date(), days)
        await asyncio.sleep(TIDY_SECONDS)
