"""How the shop does between two readings, in the few figures that tell it; and whether those are as they should be."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tfmshop.platform import jobs, measures
from tfmshop.platform.db import query, slow
from tfmshop.platform.observe import process
from tfmshop.platform.observe.readings import Reading, quantile
from tfmshop.surface.alerts.answers import REQUEST


class Pulse(msgspec.Struct, frozen=True):
    """Figures of a span of time: rates by second, times in ms, parts 0 to 1, bytes. None where nothing happened."""

    at: datetime
    seconds: float
    requests: float
    errors: float
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    active: int
    queries: float
    query_ms: float | None
    slow_queries: int
    lookups: int
    hit_rate: float | None
    pool_used: int
    pool_most: int
    pool_part: float
    pool_waiting: int
    memory_used: int
    memory_limit: int
    memory_of_processes: int
    jobs_waiting: int
    jobs_late_seconds: float
    loop_ms: float
    alerts: list[str]


def pulse(before: Reading | None, after: Reading) -> Pulse:
    """What happened between two readings; with None, since the processes started."""
    started = min((one.value for one in after.find(process.STARTED.name)), default=after.at.timestamp())
    seconds = after.at.timestamp() - (before.at.timestamp() if before else started)

    def grown(name: str, **labels: str) -> float:
        return max(0.0, after.sum(name, **labels) - (before.sum(name, **labels) if before else 0.0))

    def whole(name: str, **labels: str) -> int:
        return int(after.sum(name, **labels))

    requests, failed = grown(REQUEST), sum(grown(REQUEST, http_response_status_code=code) for code in _failures(after))
    buckets = _grown(before, after, REQUEST)
    queries = grown(query.DURATION.name)
    query_seconds = _seconds(after, query.DURATION.name) - (_seconds(before, query.DURATION.name) if before else 0.0)
    lookups, missed = grown(measures.LOOKUPS.name), grown(measures.LOOKUPS.name, outcome="miss")
    per = max(seconds, 0.001)
    return Pulse(
        after.at, round(seconds, 3), requests / per, failed / per, failed / requests if requests else None,
        _ms(0.5, buckets), _ms(0.95, buckets), _ms(0.99, buckets),
        whole("http_server_active_requests"), queries / per, 1000 * query_seconds / queries if queries else None,
        int(grown(slow.SLOW.name)), int(lookups), 1 - missed / lookups if lookups else None,
        whole(measures.CONNECTIONS.name, state="used"), whole(measures.MOST.name),
        max((one.value for one in after.find(measures.FULL.name)), default=0.0), whole(measures.WAITING.name),
        whole(process.USED.name), whole(process.LIMIT.name), whole(process.MEMORY.name), whole(jobs.WAITING_NOW.name),
        max((one.value for one in after.find(jobs.LATE.name)), default=0.0), 1000 * after.sum(process.LATE.name),
        sorted(one.labels["alert"] for one in after.find("tfmshop_alerts_firing") if one.value),
    )  # fmt: skip


def _failures(reading: Reading) -> set[str]:
    codes = (one.labels["http_response_status_code"] for one in reading.find(REQUEST))
    return {code for code in codes if code.startswith("5")}


def _grown(before: Reading | None, after: Reading, name: str) -> list[int]:
    old = before.buckets(name) if before else [0] * len(after.buckets(name))
    return [max(0, new - was) for was, new in zip(old, after.buckets(name), strict=True)]


def _ms(part: float, buckets: list[int]) -> float | None:
    return 1000 * quantile(part, buckets) if sum(buckets) else None


def _seconds(reading: Reading, name: str) -> float:
    return sum(one.value for one in reading.find(name))
