"""Background jobs and schedules. The runner is `jobs.worker.Worker`."""

from tfmshop.platform.jobs.queue import HANDLERS, SCHEDULES, enqueue, job, schedule

__all__ = ["HANDLERS", "SCHEDULES", "enqueue", "job", "schedule"]
