"""What was measured in the last hours, as far as alerts look back: every few seconds at first, then every minute."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tfmshop.platform.observe.readings import Reading, Series, added

FINE_SECONDS: Final = 900.0
"""For so long every moment is kept; of older ones, one in `COARSE_SECONDS`."""
COARSE_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 6.5 * 3600

JOB: Final = "tfmshop"
"""What Prometheus calls the shop: others there measure their requests and their memory under the same names."""
_WORSE: Final = {"max": max, "min": min}

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Series of a metric that have some labels, brought together by the values of others: added up, most or least."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    by: tuple[str, ...] = ()
    over: str = "sum"
    one_of: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Labels that must have one of some values; a value may end in a star, for all that begin so."""

    def numbers(self, reading: Reading) -> dict[Labels, float]:
        """The numbers at a moment, by the values of `by`."""
        found: dict[Labels, float] = {}
        for key, one in self._of(reading):
            value = float(one.value if one.buckets is None else one.count)
            before = found.get(key)
            if before is None:
                found[key] = value
            else:
                found[key] = before + value if self.over == "sum" else _WORSE[self.over](before, value)
        return found

    def buckets(self, reading: Reading) -> list[int]:
        """The buckets of a histogram, all series together."""
        return added(one.buckets for _, one in self._of(reading) if one.buckets)

    def _of(self, reading: Reading) -> Iterable[tuple[Labels, Series]]:
        for one in reading.find(self.metric, **dict(self.labels)):
            if all(_fits(one.labels.get(name, ""), values) for name, values in self.one_of):
                yield tuple(one.labels.get(name, "") for name in self.by), one

    def promql(self, suffix: str = "") -> str:
        """The same for Prometheus, without what is done with it."""
        parts = [f'job="{JOB}"']
        parts += [f'{name}="{value}"' for name, value in self.labels]
        parts += [f'{name}=~"{"|".join(v.replace("*", ".*") for v in values)}"' for name, values in self.one_of]
        return f"{self.metric}{suffix}{{{','.join(parts)}}}"


def _fits(value: str, wanted: tuple[str, ...]) -> bool:
    return any(value.startswith(one[:-1]) if one.endswith("*") else value == one for one in wanted)


@dataclass(slots=True)
class Moment:
    """What was measured at a time, in seconds."""

    at: float
    numbers: dict[Selector, dict[Labels, float]] = field(default_factory=dict)
    buckets: dict[Selector, list[int]] = field(default_factory=dict)


class History:
    """Moments, the oldest first."""

    def __init__(self, selectors: Iterable[Selector], histograms: Iterable[Selector]) -> None:
        """Of every reading, only what these select is kept."""
        self._selectors = set(selectors)
        self._histograms = set(histograms)
        self._moments: list[Moment] = []

    def add(self, at: float, reading: Reading) -> None:
        """Keep what was measured at a time."""
        moments = self._moments
        moments.append(
            Moment(at, {one: one.numbers(reading) for one in self._selectors},
                   {one: one.buckets(reading) for one in self._histograms})
        )  # fmt: skip
        fine = bisect_left(moments, at - FINE_SECONDS, key=lambda one: one.at)
        if fine >= 2 and moments[fine - 1].at - moments[fine - 2].at < COARSE_SECONDS:
            del moments[fine - 1]
        while moments[0].at < at - LONGEST_SECONDS:
            del moments[0]

    @property
    def now(self) -> float:
        """The time of the last moment; 0 before the first."""
        return self._moments[-1].at if self._moments else 0.0

    def within(self, seconds: float, offset: float = 0.0) -> list[Moment]:
        """The moments of so many seconds that ended `offset` seconds ago, and the last one before that offset."""
        end = self.now - offset
        first = bisect_left(self._moments, end - seconds - 0.001, key=lambda one: one.at)
        last = bisect_left(self._moments, end + 0.001, key=lambda one: one.at)
        return self._moments[first:last]
