"""Alerts about work in the background: jobs, who runs them, and backups."""

from __future__ import annotations

from tfmshop.platform import Config, done, jobs
from tfmshop.platform.observe.alerts import Age, Alert, Limit, Now, Rate, Selector
from tfmshop.surface.alerts.answers import DAY, HOUR, MINUTE


def alerts(config: Config) -> list[Alert]:
    """What is late, failed, or not done at all."""
    by, age = ("task",), config.number("ALERT_JOB_AGE")
    failed = Selector(jobs.DURATION.name, (("outcome", "failed"),), by)
    backup, drill = (Selector(done.DONE_AT.name, (("what", what),), over="max") for what in (done.BACKUP, done.DRILL))
    return [
        Alert(
            "JobsLate", [Limit(Now(Selector(jobs.LATE.name, by=by, over="max")), ">", age)], 15, "critical",
            "A job {task} is late by {value}.",
            "Is `tfmshop work` running? A job that takes long or fails is in `tfmshop logs errors`.", "s",
        ),
        Alert(
            "JobStuck", [Limit(Now(Selector(jobs.RUNNING.name, by=by, over="max")), ">", age)], 15, "critical",
            "A job {task} is worked on for {value} now.",
            "What does it wait for? See `tfmshop db locks` and `tfmshop db activity`.", "s",
        ),
        Alert(
            "JobsFail", [Limit(Rate(failed, 5 * MINUTE), ">", 3 / 300)], 60, "warning", "Jobs {task} fail, {value}.",
            "See `tfmshop logs errors`; they are tried again for days.", "/s",
        ),
        Alert(
            "JobsHeld", [Limit(Now(Selector(jobs.HELD.name, by=by, over="max")), ">", 0)], 0, "warning",
            "{value} jobs {task} failed for days and are tried no more.", "Mend the cause, then `tfmshop jobs again`.",
        ),
        Alert(
            "NoJobRunner", [Limit(Now(Selector(jobs.RUNNERS.name)), "<", 1)], 60, "critical",
            "No job runner works: no letters, no webhooks, no captures.", "Start `tfmshop work`.",
        ),
        Alert(
            "ClockStopped", [Limit(Now(Selector(jobs.IDLE.name, over="max")), ">", 5 * MINUTE)], 120, "critical",
            "Nothing ran by the clock for {value}: no sweeper, no backup.",
            "Start `tfmshop schedule`, or `tfmshop work` without `--queues`.", "s",
        ),
        Alert(
            "BackupLate", [Limit(Age(backup), ">", HOUR * config.number("ALERT_BACKUP_HOURS"))], 15, "critical",
            "The last backup is {value} old.", "Make one, and see why the last ones were not made.", "s",
        ),
        Alert(
            "DrillLate", [Limit(Age(drill), ">", DAY * config.number("ALERT_DRILL_DAYS"))], 15, "warning",
            "No backup was restored and compared for {value}.", "Run `tfmshop db drill`, or set DRILL_AT.", "s",
        ),
    ]  # fmt: skip
