"""The job runner as a process: works until it is told to stop."""

from __future__ import annotations

import asyncio
import signal

import structlog

from tfmshop.platform.db import Database
from tfmshop.platform.jobs.worker import Worker

log = structlog.get_logger("jobs")


async def work(url: str, db: Database) -> None:
    """Run jobs and schedules until SIGINT or SIGTERM; the jobs in hand are finished first."""
    worker = Worker(url, db)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop)
    log.info("job runner started")
    await worker.run()
    log.info("job runner stopped")
