"""The numbers of all processes of an installation, added up: what a scrape, an alert and a dashboard look at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate

import msgspec

from tfmshop.platform import clock
from tfmshop.platform.observe.blocks import Block, Values
from tfmshop.platform.observe.metrics import BOUNDS, CELLS, METRICS, NANO, Over


class Series(msgspec.Struct):
    """One line of a metric. A histogram's `buckets` count what took at most each of `BOUNDS`, and longer; `value` is
    then the sum in seconds.
    """

    labels: dict[str, str]
    value: float = 0.0
    buckets: list[int] | None = None

    @property
    def count(self) -> int:
        """How many a histogram has seen."""
        return sum(self.buckets or ())


class Family(msgspec.Struct):
    """A metric with its series."""

    name: str
    kind: str
    meaning: str
    series: list[Series]


class Reading(msgspec.Struct):
    """Every metric at a moment."""

    at: datetime
    families: dict[str, Family]

    def find(self, name: str, **labels: str) -> Iterator[Series]:
        """The series of a metric that have these labels."""
        family = self.families.get(name)
        for series in family.series if family else ():
            if all(series.labels.get(label) == value for label, value in labels.items()):
                yield series

    def sum(self, name: str, **labels: str) -> float:
        """Their values added up: of a histogram, how many it has seen."""
        return sum(one.value if one.buckets is None else one.count for one in self.find(name, **labels))

    def buckets(self, name: str, **labels: str) -> list[int]:
        """The buckets of a histogram's series added up."""
        return added(one.buckets for one in self.find(name, **labels) if one.buckets)


def added(buckets: Iterable[list[int]]) -> list[int]:
    """Buckets of several series as those of one."""
    total = [0] * (len(BOUNDS) + 1)
    for one in buckets:
        total = [a + b for a, b in zip(total, one, strict=True)]
    return total


def quantile(part: float, buckets: list[int]) -> float:
    """The time within which a `part` (0 to 1) of them were done, in seconds; between the bounds of a bucket evenly, as
    Prometheus' histogram_quantile has it; 0 of none.
    """
    total = sum(buckets)
    if not total:
        return 0.0
    sums = list(accumulate(buckets))
    wanted = part * total
    at = bisect_left(sums, wanted)
    if at >= len(BOUNDS):
        return BOUNDS[-1]
    before = sums[at - 1] if at else 0
    low = BOUNDS[at - 1] if at else 0.0
    return low + (BOUNDS[at] - low) * ((wanted - before) / buckets[at] if buckets[at] else 1.0)


def read() -> Reading:
    """Every number as it was written last; `metrics.sample` first brings those of this process up to date."""
    return summed(CELLS.read())


def summed(blocks: Iterable[Block]) -> Reading:
    """The numbers of several processes as those of one."""
    reading = Reading(clock.now(), {m.name: Family(m.name, m.kind, m.meaning, []) for m in METRICS.values()})
    counts: dict[tuple[str, Values], list[int]] = {}
    levels: dict[tuple[str, Values, str], float] = {}
    for block in blocks:
        for (_, name, values), cells in block.whole.items():
            before = counts.get((name, values))
            if before is None or len(before) == len(cells):
                counts[name, values] = [a + b for a, b in zip(before, cells, strict=True)] if before else cells
        for (kind, name, values), value in block.real.items():
            each = block.process if kind == Over.EACH else ""
            before_ = levels.get((name, values, each))
            levels[name, values, each] = value if before_ is None else _together(kind, before_, value)
    for (name, values), cells in counts.items():
        labels = _labels(name, values)
        if labels is not None and len(cells) in (1, len(BOUNDS) + 2):
            single = Series(labels, cells[0] / METRICS[name].parts) if len(cells) == 1 else None
            reading.families[name].series.append(single or Series(labels, cells[-1] / NANO, cells[:-1]))
    for (name, values, each), value in levels.items():
        labels = _labels(name, values)
        if labels is not None:
            reading.families[name].series.append(Series({**labels, "process": each} if each else labels, value))
    return reading


def _labels(name: str, values: Values) -> dict[str, str] | None:
    metric = METRICS.get(name)
    return (
        None if metric is None or len(metric.labels) != len(values) else dict(zip(metric.labels, values, strict=True))
    )


def _together(kind: str, one: float, other: float) -> float:
    if kind == Over.MOST:
        return max(one, other)
    return min(one, other) if kind == Over.LEAST else one + other


__all__ = ["Family", "Reading", "Series", "added", "quantile", "read", "summed"]
