"""The job runner as a process: works until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection

import structlog

from tfmshop.platform.db import Database
from tfmshop.platform.jobs.worker import Worker

log = structlog.get_logger("jobs")


async def work(url: str, db: Database, names: Collection[str], *, by_the_clock: bool) -> None:
    """Run jobs of some names, and schedules, until SIGINT or SIGTERM; the jobs in hand are finished first."""
    worker = Worker(url, db, names, by_the_clock=by_the_clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop)
    log.info("job runner started", jobs=len(names), by_the_clock=by_the_clock)
    await worker.run()
    log.info("job runner stopped")
