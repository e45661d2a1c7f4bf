"""The job runner: connections that listen, a pool that works, and a new start whenever PostgreSQL went away.

Jobs run in lanes, each with a queue and connections of its own, so that none waits for a receiver that hangs, or for a
long queue, but those of its lane (decisions/0041-lanes-of-jobs.md).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.domain.errors import PgqException, RetryRequested
from pgqueuer.models import Job
from pgqueuer.models import Schedule as PgSchedule

from tfmshop.platform import clock
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database
from tfmshop.platform.jobs import queue
from tfmshop.platform.jobs.queue import DURATION, HANDLERS, LANES, OTHERS, SCHEDULES, SUCCEEDED_AT, Handler, Task
from tfmshop.platform.observe import logs, traces

log = structlog.get_logger("jobs")

LONGEST_PAUSE_SECONDS = 5.0
LOST_SECONDS = 1.0
"""How long the queue may take to notice by itself that its connection is gone."""

AT_ONCE: Final = 100
"""Jobs of a lane that are taken at once; the rest stays in the queue, for other runners, too."""
CONNECTIONS: Final = 3
PATIENCE_SECONDS: Final = 60.0
"""Connections of the pool for each lane, and how long a job waits for its turn."""
MOST_TRIES: Final = 1000
"""So often a job that fails is tried, for three and a half days; then it is held."""


class Worker:
    """Runs jobs of some names, and schedules, until `stop`. A handler that fails is tried again for days, then held."""

    def __init__(
        self, url: str, db: Database, names: Collection[str] | None = None, *, by_the_clock: bool = True
    ) -> None:
        """None are the names of all jobs."""
        by_lane: dict[str, set[str]] = {OTHERS: set()} if by_the_clock else {}
        for name in HANDLERS if names is None else names:
            by_lane.setdefault(LANES.get(name, OTHERS), set()).add(name)
        self._lanes = [
            _Lane(
                url, db, db.share(f"jobs: {lane}", maximum=CONNECTIONS, patience_seconds=PATIENCE_SECONDS), of_lane,
                by_the_clock=by_the_clock and lane == OTHERS,
            )
            for lane, of_lane in by_lane.items()
        ]  # fmt: skip

    async def run(self) -> None:
        """Work until `stop` is called; reconnects by itself. A lane that ends by a mistake lets the others finish."""
        lanes = [asyncio.create_task(lane.run()) for lane in self._lanes]
        try:
            await asyncio.gather(*lanes)
        finally:
            self.stop()
            await asyncio.wait(lanes)
            queue.stop(False)

    def stop(self) -> None:
        """Finish the jobs in hand, or give up those that take long, and return from `run`."""
        queue.stop()
        for lane in self._lanes:
            lane.stop()


class _Lane:
    """Jobs that wait for each other."""

    def __init__(
        self, url: str, db: Database, for_jobs: Database, names: Collection[str], *, by_the_clock: bool
    ) -> None:
        self._url = url
        self._db = db
        self._for_jobs = for_jobs
        self._names = names
        self._by_the_clock = by_the_clock
        self._runner: PgQueuer | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            started = monotonic()
            try:
                await self._run_once()
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                PgqException,
                RuntimeError,
            ) as error:
                log.warning("job runner lost its connection", error=str(error) or type(error).__name__)
            if monotonic() - started > LONGEST_PAUSE_SECONDS:
                pause = 0.1
            if not self._stopping.is_set():
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        self._stopping.set()
        if self._runner is not None:
            self._runner.shutdown.set()

    async def _run_once(self) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=5, server_settings={"search_path": "jobs", "application_name": "tfmshop jobs"}
        )
        try:
            runner = PgQueuer.from_asyncpg_connection(connection)
            for name in self._names:
                _bind(runner, self._for_jobs, name, HANDLERS[name])
            for schedule in SCHEDULES.values() if self._by_the_clock else ():
                _bind_schedule(runner, self._db, schedule.name, schedule.cron, schedule.task)
            self._runner = runner
            if not self._stopping.is_set():
                await _while_connected(
                    connection,
                    runner.run(
                        dequeue_timeout=timedelta(seconds=30), max_concurrent_tasks=AT_ONCE,
                        shutdown_on_listener_failure=True,
                    ),
                )  # fmt: skip
        finally:
            self._runner = None
            connection.terminate()


async def _while_connected(connection: asyncpg.Connection[asyncpg.Record], work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; give it up soon after the connection is lost, since the queue goes on trying to write to it.

    The connection is asked, not listened to: one that the client itself gave up says nothing to its listeners.
    """
    running = asyncio.ensure_future(work)
    try:
        lost = False
        while not running.done():
            if lost:
                raise ConnectionError("the connection is gone")
            lost = connection.is_closed()
            await asyncio.wait({running}, timeout=LOST_SECONDS)
        await running
    finally:
        running.cancel()
        await asyncio.wait({running})


def _bind(runner: PgQueuer, db: Database, name: str, handler: Handler) -> None:
    DURATION.of(name, "failed")

    async def run(job: Job) -> None:
        try:
            with timed(name, str((job.otel_headers() or {}).get("traceparent", ""))):
                await handler(db, job.payload or b"")
        except Exception as error:
            if job.attempts >= MOST_TRIES:
                raise
            raise RetryRequested(delay=pause_after(job.attempts), reason=str(error)) from error

    runner.entrypoint(name, on_failure="hold")(run)


def pause_after(tries: int) -> timedelta:
    """How long a job waits that failed after so many failures: 1 s, 2 s, 4 s and so on up to five minutes."""
    return timedelta(seconds=min(2 ** min(tries, 9), 300))


def _bind_schedule(runner: PgQueuer, db: Database, name: str, cron: str, task: Task) -> None:
    DURATION.of(name, "failed")

    async def run(_: PgSchedule) -> None:
        with timed(name):
            await task(db)
        SUCCEEDED_AT.of(name).set(clock.now().timestamp())

    runner.schedule(name, cron)(run)


@contextmanager
def timed(name: str, parent: str = "") -> Iterator[None]:
    """Measure a run of a job, of the trace that it was made in."""
    started, outcome = monotonic(), "failed"
    try:
        with traces.span(f"job {name}", first=True, parent=parent):
            yield
        outcome = "ok"
    finally:
        seconds = monotonic() - started
        DURATION.of(name, outcome).add(seconds)
        if logs.too_slow("job", seconds):
            logs.slow("job", name=name, seconds=round(seconds, 2), outcome=outcome)
