"""The tables of the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from tfmshop.platform.analysis import queries
from tfmshop.platform.observe import process
from tfmshop.surface.asked import routes
from tfmshop.surface.cli.output import sized
from tfmshop.surface.cli.source import Seen

Shown = tuple[str, Sequence[str], list[Sequence[Any]]]


def _routes(seen: Seen, before: Seen | None) -> Shown:
    found = routes(before.reading if before else None, seen.reading)
    rows = [(r.method, r.route, f"{r.requests:,.1f}", f"{r.error_rate:.1%}", f"{r.p50_ms:.1f}", f"{r.p95_ms:.1f}")
            for r in found]  # fmt: skip
    return "Routes, now", ("method", "route", "a second", "failed", "p50 ms", "p95 ms"), list(rows)


def _statements(seen: Seen, _: Seen | None) -> Shown:
    rows = [(c.name, f"{c.calls:,}", f"{c.share:.1%}", f"{c.mean_ms:.2f}", f"{c.p95_ms:.1f}", f"{c.most_ms:.1f}",
             c.slow)
            for c in queries.costs(seen.reading)[:50]]  # fmt: skip
    columns = ("statement", "calls", "share", "mean ms", "p95", "most", "slow")
    return "Statements, since they started", columns, list(rows)


def _processes(seen: Seen, _: Seen | None) -> Shown:
    reading = seen.reading
    files = {one.labels["process"]: one.value for one in reading.find(process.FILES.name)}
    started = {one.labels["process"]: one.value for one in reading.find(process.STARTED.name)}
    rows = [(name, sized(int(one.value)), f"{files.get(name, 0):.0f}",
             f"{reading.at.timestamp() - started.get(name, reading.at.timestamp()):,.0f} s")
            for one in reading.find(process.MEMORY.name) for name in [one.labels["process"]]]  # fmt: skip
    return "Processes", ("process", "memory", "open files", "runs for"), list(rows)


def _jobs(seen: Seen, _: Seen | None) -> Shown:
    names = {one.labels["task"] for one in seen.reading.find("tfmshop_job_duration_seconds")}
    names |= {one.labels["task"] for one in seen.reading.find("tfmshop_jobs_waiting") if one.value}

    def number(metric: str, task: str, **labels: str) -> float:
        return seen.reading.sum(metric, task=task, **labels)

    rows = [(name, f"{number('tfmshop_job_duration_seconds', name):,.0f}",
             f"{number('tfmshop_job_duration_seconds', name, outcome='failed'):,.0f}",
             f"{number('tfmshop_jobs_waiting', name):,.0f}", f"{number('tfmshop_jobs_late_seconds', name):,.0f} s",
             f"{number('tfmshop_jobs_held', name):,.0f}") for name in sorted(names)]  # fmt: skip
    return "Jobs and schedules, since they started", ("job", "ran", "failed", "wait", "late", "held"), list(rows)


def _alerts(seen: Seen, _: Seen | None) -> Shown:
    rows = [("silenced" if a["silenced"] else a["state"], a["severity"], a["alert"], a["says"], a["mend"])
            for a in seen.health.get("alerts") or ()]  # fmt: skip
    title = "Alerts" if rows else "Alerts: nothing fires"
    return title, ("state", "severity", "alert", "says", "what to do"), list(rows)


VIEWS: Final[dict[str, Callable[[Seen, Seen | None], Shown]]] = {
    "routes": _routes, "statements": _statements, "processes": _processes, "jobs": _jobs, "alerts": _alerts,
}  # fmt: skip
