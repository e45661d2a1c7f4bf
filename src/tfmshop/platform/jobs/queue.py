"""The job queue: PostgreSQL itself, through PgQueuer's tables. A job is enqueued in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tfmshop.platform import codec
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Query, Truth, Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.observe.metrics import Gauge, Histogram, Over

Handler = Callable[[Database, bytes], Awaitable[None]]
Task = Callable[[Database], Awaitable[None]]

HANDLERS: dict[str, Handler] = {}
LANES: dict[str, str] = {}
"""The lane of each job that has another than `OTHERS`."""
MAY_TAKE: dict[str, float] = {}
"""The seconds that a job may take longer than others."""
OTHERS: Final = "others"
SCHEDULES: dict[str, Schedule] = {}

DURATION = Histogram("tfmshop_job_duration_seconds", "Runs of jobs and schedules, by how they came out: ok or failed.",
                     "task", "outcome")  # fmt: skip
SUCCEEDED_AT = Gauge("tfmshop_schedule_last_success_timestamp_seconds", "When a schedule ended well last, since 1970.",
                     "task", over=Over.MOST)  # fmt: skip
WAITING_NOW = Gauge("tfmshop_jobs_waiting", "Jobs that are not done yet.", "task", over=Over.MOST)
LATE = Gauge("tfmshop_jobs_late_seconds", "By how much the most overdue job is late.", "task", over=Over.MOST)
RUNNING = Gauge("tfmshop_jobs_running_seconds", "For how long the job is worked on that is so longest, less what "
                "such jobs may take.", "task",
                over=Over.MOST)  # fmt: skip
RUNNERS = Gauge("tfmshop_job_runners", "Job runners that work.")
HELD = Gauge("tfmshop_jobs_held", "Jobs that failed for days and wait for somebody to look at them.", "task",
             over=Over.MOST)  # fmt: skip

IDLE = Gauge("tfmshop_schedules_idle_seconds", "How long nothing ran by the clock, in any process.", over=Over.MOST)

ENQUEUE = Query("jobs.enqueue", "SELECT jobs.enqueue($1, $2)")
WAITING = Query(
    "jobs.waiting",
    """
SELECT count(*) AS jobs, coalesce(extract(epoch FROM now() - min(created)), 0)::float8 AS oldest_seconds
FROM jobs.pgqueuer WHERE entrypoint = ANY($1::text[]) AND status IN ('queued', 'picked')
""",
)
FIGURES = Query(
    "jobs.figures",
    """
SELECT entrypoint, count(*) FILTER (WHERE status IN ('queued', 'picked')) AS waiting,
    coalesce(extract(epoch FROM max(now() - execute_after) FILTER (WHERE status = 'queued')), 0)::float8 AS late,
    coalesce(extract(epoch FROM max(now() - updated) FILTER (WHERE status = 'picked')), 0)::float8 AS running,
    count(*) FILTER (WHERE status = 'failed') AS held
FROM jobs.pgqueuer GROUP BY entrypoint
""",
)

BY_THE_CLOCK = Query(
    "jobs.by_the_clock", "SELECT extract(epoch FROM now() - max(last_run))::float8 FROM jobs.pgqueuer_schedules"
)
HELD_NOW = Query(
    "jobs.held",
    """
SELECT entrypoint AS task, count(*) AS jobs, min(created) AS oldest FROM jobs.pgqueuer WHERE status = 'failed'
GROUP BY entrypoint ORDER BY entrypoint
""",
)
RUN_AGAIN = Query(
    "jobs.run_again",
    """
UPDATE jobs.pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now()
WHERE status = 'failed' AND ($1::text IS NULL OR entrypoint = $1)
""",
)
FORGET = Query(
    "jobs.forget",
    """
DELETE FROM jobs.pgqueuer AS j USING unnest($2::text[]) AS w(word)
WHERE j.entrypoint LIKE $1 AND j.status <> 'picked' AND position(w.word IN lower(convert_from(j.payload, 'UTF8'))) > 0
""",
)

Truth("no job waits longer than ten minutes", Query(
    "jobs.truth_waiting", """
SELECT DISTINCT entrypoint FROM jobs.pgqueuer
WHERE status = 'queued' AND execute_after < now() - interval '10 minutes'
    OR status = 'picked' AND greatest(execute_after, heartbeat) < now() - interval '10 minutes'
"""))  # fmt: skip
Truth("no job failed for days and waits for somebody", Query(
    "jobs.truth_held", "SELECT DISTINCT entrypoint FROM jobs.pgqueuer WHERE status = 'failed'"
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task that runs by a cron expression (UTC, five fields)."""

    name: str
    cron: str
    task: Task


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that are not done yet, and the age of the oldest in seconds: how far what they do lags behind."""

    jobs: int
    oldest_seconds: float


def job(name: str, *, lane: str = OTHERS, may_take: float = 0.0) -> Callable[[Handler], Handler]:
    """Declare the handler of jobs called `name`; it may run more than once for the same job. Jobs wait for those of
    their own lane alone, and none is stuck before it ran for `may_take` seconds longer than others may.
    """

    def declare(handler: Handler) -> Handler:
        if name in HANDLERS:
            raise TypeError(f"a job named {name!r} exists")
        HANDLERS[name] = handler
        if lane != OTHERS:
            LANES[name] = lane
        if may_take:
            MAY_TAKE[name] = may_take
        return handler

    return declare


class Stopping(ShopError, kind=Kind.UNAVAILABLE, code="runner_stops", says="The job runner stops: another goes on."):
    """What a job that takes long raises when its runner shall end: it is done again, by whoever runs next."""


class _Runner:
    """What the runner of this process shall do."""

    stops = False


def stop(stops: bool = True) -> None:
    """Have jobs that take long give up, or not any more."""
    _Runner.stops = stops


def go_on() -> None:
    """See that a job may take longer. `Stopping`."""
    if _Runner.stops:
        raise Stopping


def schedule(name: str, cron: str) -> Callable[[Task], Task]:
    """Declare a task that runs whenever `cron` says."""

    def declare(task: Task) -> Task:
        if name in SCHEDULES:
            raise TypeError(f"a schedule named {name!r} exists")
        SCHEDULES[name] = Schedule(name, cron, task)
        return task

    return declare


class NoSuchJob(Exception):
    """A name that no job and no module with jobs has."""


def chosen(names: Iterable[str]) -> set[str]:
    """The jobs of some modules or names. `NoSuchJob`."""
    found: set[str] = set()
    for name in names:
        those = {job for job in HANDLERS if name in (job, job.partition(".")[0])}
        if not those:
            raise NoSuchJob(name)
        found |= those
    return found


async def enqueue(tx: Tx, name: str, payload: object) -> int:
    """Add a job to the caller's transaction: it exists if and only if the change does. Gives the job's number."""
    number: int = await tx.value(ENQUEUE, name, codec.encode(payload))
    return number


@dataclass(frozen=True, slots=True)
class Held:
    """Jobs of one name that failed for days and are tried no more."""

    task: str
    jobs: int
    oldest: datetime


async def held(tx: Tx) -> list[Held]:
    """What failed for days, by name."""
    return [Held(*row) for row in await tx.rows(HELD_NOW)]


async def forget(tx: Tx, tasks: str, words: list[str]) -> None:
    """Drop the jobs, waiting or held, of tasks like this (SQL) that were given one of these texts, in lower case."""
    await tx.execute(FORGET, tasks, [codec.encode_text(word) for word in words])


async def run_again(tx: Tx, name: str | None = None) -> int:
    """Have held jobs tried again from the start, those of one name or all; how many."""
    return await tx.execute(RUN_AGAIN, name)


async def waiting(tx: Tx, *names: str) -> Waiting:
    """How much of these jobs is still to be done."""
    row = await tx.row(WAITING, list(names))
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Waiting(*row)


_measured: set[str] = set()
_STARTED: Final = monotonic()


async def measure(tx: Tx) -> None:
    """Bring the metrics of what waits up to date: of every job that is there, whichever process knows how to do it."""
    found = {row["entrypoint"]: row for row in await tx.rows(FIGURES)}
    _measured.update(found)
    for name in _measured:
        row = found.get(name)
        WAITING_NOW.of(name).set(row["waiting"] if row else 0)
        LATE.of(name).set(max(0.0, row["late"]) if row else 0.0)
        RUNNING.of(name).set(max(0.0, row["running"] - MAY_TAKE.get(name, 0.0)) if row else 0.0)
        HELD.of(name).set(row["held"] if row else 0)
    idle = await tx.value(BY_THE_CLOCK)
    IDLE.of().set(monotonic() - _STARTED if idle is None else idle)
