"""Background jobs, schedules, and what happened. The runner is `jobs.worker.Worker`."""

from tfmshop.platform.jobs import events
from tfmshop.platform.jobs.queue import (
    CLOCK,
    DURATION,
    HANDLERS,
    HELD,
    LATE,
    RUNNERS,
    RUNNING,
    SCHEDULES,
    WAITING_NOW,
    NoSuchJob,
    Waiting,
    chosen,
    enqueue,
    job,
    measure,
    schedule,
    waiting,
)

__all__ = [
    "CLOCK",
    "DURATION",
    "HANDLERS",
    "HELD",
    "LATE",
    "RUNNERS",
    "RUNNING",
    "SCHEDULES",
    "WAITING_NOW",
    "NoSuchJob",
    "Waiting",
    "chosen",
    "enqueue",
    "events",
    "job",
    "measure",
    "schedule",
    "waiting",
]
