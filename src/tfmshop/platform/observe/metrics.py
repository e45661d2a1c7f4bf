"""What is measured: counters, gauges and histograms under names by the conventions of Prometheus and OpenTelemetry.

Each is declared once, beside what it measures; `docs/metrics.md` has a row for each. A series (a metric with values for
its labels) is found once and kept where it is used; adding to it is then a write to memory (`cells`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Generic, TypeVar

from tfmshop.platform.observe.blocks import COUNTS
from tfmshop.platform.observe.cells import Cells

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper ends of the buckets of every histogram, in seconds; one more takes what is longer."""
NANO: Final = 1_000_000_000

CELLS: Final = Cells()
"""The numbers of this process."""
METRICS: Final[dict[str, Metric]] = {}
"""Every metric there is, by its name in a scrape."""

S = TypeVar("S")


class Over(StrEnum):
    """What becomes of a gauge that several processes have: they are added up, one counts, or each is shown."""

    SUM = "sum"
    MOST = "max"
    LEAST = "min"
    EACH = "each"


class Metric:
    """The name of what is measured, what it means, and the names of its labels. A name is taken once: TypeError."""

    kind = ""
    over = Over.SUM
    parts = 1
    """How many of what is counted are one of what is shown."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        if name in METRICS:
            raise TypeError(f"a metric named {name!r} exists")
        self.name, self.meaning, self.labels = name, meaning, labels
        METRICS[name] = self


class _Kept(Metric, Generic[S]):
    made_at: Callable[[int], S]
    width = 1

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        super().__init__(name, meaning, *labels)
        self._series: dict[tuple[object, ...], S] = {}

    def of(self, *values: object) -> S:
        """The series with these values of the labels."""
        series = self._series.get(values)
        if series is None:
            if len(values) != len(self.labels):
                raise TypeError(f"{self.name} has the labels {self.labels}, not {values}")
            at = CELLS.take(self._over(), self.name, tuple(map(str, values)), self.width)
            series = self._series[values] = self.made_at(at)
        return series

    def _over(self) -> str:
        return COUNTS


class Count:
    """A number that only grows."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def add(self, more: int = 1) -> None:
        """Add to it."""
        CELLS.whole[self._at] += more

    def set(self, total: int) -> None:
        """What somebody else counted in this process, in full."""
        CELLS.whole[self._at] = total

    @property
    def value(self) -> int:
        """How much this process has counted."""
        return CELLS.whole[self._at]


class Spent:
    """Time that only grows."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def set(self, seconds: float) -> None:
        """What this process spent so far, in full."""
        CELLS.whole[self._at] = int(seconds * NANO)


class Level:
    """A number that goes up and down."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def set(self, value: float) -> None:
        """What it is now."""
        CELLS.real[self._at] = value

    def add(self, more: float) -> None:
        """Raise it, or lower it."""
        CELLS.real[self._at] += more

    @property
    def value(self) -> float:
        """What it is in this process."""
        return CELLS.real[self._at]


class Timed:
    """How long things took: how many within each bound, and their sum."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def add(self, seconds: float) -> None:
        """One more took so long."""
        whole, at = CELLS.whole, self._at
        whole[at + bisect_left(BOUNDS, seconds)] += 1
        whole[at + _SUM] += int(seconds * NANO)

    def add_all(self, seconds: list[float]) -> None:
        """More that took so long. Often all of them are in the first bucket."""
        whole, at, before = CELLS.whole, self._at, 0
        whole[at + _SUM] += int(sum(seconds) * NANO)
        if max(seconds, default=0.0) <= BOUNDS[0]:
            whole[at] += len(seconds)
            return
        seconds = sorted(seconds)
        for number, bound in enumerate(BOUNDS):
            within = bisect_right(seconds, bound)
            if within > before:
                whole[at + number] += within - before
            before = within
        whole[at + len(BOUNDS)] += len(seconds) - before

    @property
    def count(self) -> int:
        """How many there were in this process."""
        return sum(CELLS.whole[self._at : self._at + _SUM])

    @property
    def seconds(self) -> float:
        """How long they took together."""
        return CELLS.whole[self._at + _SUM] / NANO


_SUM: Final = len(BOUNDS) + 1
"""The cell of the sum, in nanoseconds, after those of the buckets."""


class Counter(_Kept[Count]):
    """Counts what happened; its name ends in `_total`."""

    kind = "counter"
    made_at = Count


class SpentTime(_Kept[Spent]):
    """Counts seconds; its name ends in `_seconds_total`."""

    kind = "counter"
    parts = NANO
    made_at = Spent


class Gauge(_Kept[Level]):
    """Shows what something is now."""

    kind = "gauge"
    made_at = Level

    def __init__(self, name: str, meaning: str, *labels: str, over: Over = Over.SUM) -> None:
        super().__init__(name, meaning, *labels)
        self.over = over

    def _over(self) -> str:
        return self.over.value


class Histogram(_Kept[Timed]):
    """Shows how long things take; its name ends in `_seconds`."""

    kind = "histogram"
    made_at = Timed
    width = _SUM + 1


_samplers: list[Callable[[], None]] = []


def sampled(sample: Callable[[], None]) -> Callable[[], None]:
    """Have `sample` set gauges of this process each second, and before its numbers are read; to end that, call what
    this gives back.
    """
    _samplers.append(sample)
    return lambda: _samplers.remove(sample)


def sample() -> None:
    """Set every gauge that is set now and then."""
    for one in _samplers:
        one()
