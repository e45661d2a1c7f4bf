"""Background jobs, schedules, and what happened. The runner is `jobs.worker.Worker`."""

from tfmshop.platform.jobs import events
from tfmshop.platform.jobs.queue import HANDLERS, SCHEDULES, Waiting, enqueue, job, schedule, waiting

__all__ = ["HANDLERS", "SCHEDULES", "Waiting", "enqueue", "events", "job", "schedule", "waiting"]
