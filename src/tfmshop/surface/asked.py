"""What a shop was asked for between two readings, by route."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tfmshop.platform.observe import process
from tfmshop.platform.observe.readings import Reading, quantile
from tfmshop.surface.alerts.answers import REQUEST


class Route(msgspec.Struct, frozen=True):
    """A route between two readings: requests a second, the part that failed, and times in ms."""

    route: str
    method: str
    requests: float
    error_rate: float
    p50_ms: float
    p95_ms: float


def routes(before: Reading | None, after: Reading) -> list[Route]:
    """Every route that was asked for, the one asked for most first."""
    started = min((one.value for one in after.find(process.STARTED.name)), default=after.at.timestamp())
    seconds = max(0.001, after.at.timestamp() - (before.at.timestamp() if before else started))
    return sorted(_routes(before, after, seconds), key=lambda one: -one.requests)


def _routes(before: Reading | None, after: Reading, seconds: float) -> Iterator[Route]:
    keys = {(one.labels["http_route"], one.labels["http_request_method"]) for one in after.find(REQUEST)}
    for route, method in keys:
        labels = {"http_route": route, "http_request_method": method}
        buckets, failed = [0] * len(after.buckets(REQUEST)), 0.0
        for one in after.find(REQUEST, **labels):
            old = next(iter(before.find(REQUEST, **one.labels)), None) if before else None
            was = old.buckets if old and old.buckets else [0] * len(buckets)
            grown = [max(0, new - past) for past, new in zip(was, one.buckets or was, strict=True)]
            buckets = [a + b for a, b in zip(buckets, grown, strict=True)]
            failed += sum(grown) if one.labels["http_response_status_code"].startswith("5") else 0
        if asked := sum(buckets):
            yield Route(route, method, asked / seconds, failed / asked, 1000 * quantile(0.5, buckets),
                        1000 * quantile(0.95, buckets))  # fmt: skip
