"""What each named statement costs: how often, how long, how many rows, and its part of all the time."""

from __future__ import annotations

import msgspec

from tfmshop.platform.db import query
from tfmshop.platform.db.slow import SLOW
from tfmshop.platform.observe.readings import Reading, quantile


class Cost(msgspec.Struct, frozen=True):
    """A statement over all processes of an installation, since they started; times in milliseconds, `share` 0 to 1."""

    name: str
    calls: int
    errors: int
    slow: int
    rows: int
    total_ms: float
    mean_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    share: float


def costs(reading: Reading) -> list[Cost]:
    """Every statement that ran, the one that took the most time first."""
    timed = {one.labels["db_query_summary"]: one for one in reading.find(query.DURATION.name)}
    whole = sum(one.value for one in timed.values()) or 1.0
    found = []
    for name, series in timed.items():
        calls, buckets = series.count, series.buckets or []
        if not calls:
            continue

        def number(metric: str, name: str = name) -> float:
            return reading.sum(metric, db_query_summary=name)

        most = number(query.SLOWEST.name)
        found.append(
            Cost(
                name, calls, int(number(query.ERRORS.name)), int(number(SLOW.name)), int(number(query.ROWS.name)),
                _ms(series.value), _ms(series.value / calls), _ms(_at_most(quantile(0.95, buckets), most)),
                _ms(_at_most(quantile(0.99, buckets), most)), _ms(most), round(series.value / whole, 4),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: -one.total_ms)


def _at_most(seconds: float, most: float) -> float:
    """A quantile is estimated within a bucket; it is never longer than the longest."""
    return min(seconds, most) if most else seconds


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
