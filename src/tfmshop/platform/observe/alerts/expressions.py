"""What alerts look at, written once: worked out from the history of this process, and as PromQL for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from tfmshop.platform.observe.alerts.history import History, Labels, Selector
from tfmshop.platform.observe.readings import quantile

Values = dict[Labels, float]


class Expression(Protocol):
    """A number for each set of labels, or none."""

    def values(self, history: History) -> Values:
        """The numbers now."""

    def promql(self) -> str:
        """The same for Prometheus."""

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """What of a reading it needs, and whether that is a histogram."""


@dataclass(frozen=True, slots=True)
class Now:
    """What is measured now."""

    of: Selector

    def values(self, history: History) -> Values:
        """The last numbers."""
        moments = history.within(0)
        return moments[-1].numbers.get(self.of, {}) if moments else {}

    def promql(self) -> str:
        """An aggregation of an instant vector."""
        return f"{self.of.over}{by_text(self.of)} ({self.of.promql()})"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


@dataclass(frozen=True, slots=True)
class Mean:
    """What was measured on average over some seconds."""

    of: Selector
    seconds: float

    def values(self, history: History) -> Values:
        """Means by labels."""
        found: dict[Labels, list[float]] = {}
        for moment in history.within(self.seconds):
            for key, value in moment.numbers.get(self.of, {}).items():
                found.setdefault(key, []).append(value)
        return {key: sum(values) / len(values) for key, values in found.items()}

    def promql(self) -> str:
        """avg_over_time."""
        return f"{self.of.over}{by_text(self.of)} (avg_over_time({self.of.promql()}[{span_text(self.seconds)}]))"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


@dataclass(frozen=True, slots=True)
class Rate:
    """How much a counter grows each second, over some seconds that ended `offset` seconds ago."""

    of: Selector
    seconds: float
    offset: float = 0.0

    def values(self, history: History) -> Values:
        """Rates by labels; a counter that began anew began at nothing."""
        moments = history.within(self.seconds, self.offset)
        if len(moments) < 2:
            return {}
        span = moments[-1].at - moments[0].at
        if self.offset and span < self.seconds / 3:
            return {}  # what is compared with was not looked at for long enough
        grown: Values = dict.fromkeys(moments[-1].numbers.get(self.of, {}), 0.0)
        for before, after in pairwise(moments):
            old = before.numbers.get(self.of, {})
            for key, value in after.numbers.get(self.of, {}).items():
                grown[key] = grown.get(key, 0.0) + _growth(old.get(key, 0.0), value)
        return {key: more / span for key, more in grown.items()}

    def promql(self) -> str:
        """A sum of rates."""
        suffix = "_count" if self.of.metric.endswith("_seconds") else ""
        offset = f" offset {span_text(self.offset)}" if self.offset else ""
        return f"sum{by_text(self.of)} (rate({self.of.promql(suffix)}[{span_text(self.seconds)}]{offset}))"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


@dataclass(frozen=True, slots=True)
class Quantile:
    """The time within which a part of what happened in some seconds was done."""

    part: float
    of: Selector
    seconds: float

    def values(self, history: History) -> Values:
        """One number, where anything happened."""
        moments = history.within(self.seconds)
        if len(moments) < 2:
            return {}
        first, last = moments[0].buckets.get(self.of, []), moments[-1].buckets.get(self.of, [])
        grown = [max(0, after - before) for before, after in zip(first, last, strict=True)]
        return {(): quantile(self.part, grown)} if sum(grown) else {}

    def promql(self) -> str:
        """histogram_quantile."""
        rates = f"sum by (le) (rate({self.of.promql('_bucket')}[{span_text(self.seconds)}]))"
        return f"histogram_quantile({self.part:g}, {rates})"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own histogram."""
        yield self.of, True


@dataclass(frozen=True, slots=True)
class Age:
    """How many seconds ago a moment was that a gauge tells, in seconds since 1970: of several, the one that counts by
    how they are brought together.
    """

    of: Selector

    def values(self, history: History) -> Values:
        """Ages by labels."""
        return {key: history.now - value for key, value in Now(self.of).values(history).items()}

    def promql(self) -> str:
        """The time of Prometheus less the gauge."""
        return f"time() - {self.of.over}{by_text(self.of)} ({self.of.promql()})"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


@dataclass(frozen=True, slots=True)
class Ratio:
    """A part of a whole; of what there is no whole, there is no ratio. The whole has the same labels, or none."""

    part: Expression
    whole: Expression
    times: float = 1.0

    def values(self, history: History) -> Values:
        """Ratios by labels."""
        whole = self.whole.values(history)
        found = {}
        for key, value in self.part.values(history).items():
            of = whole.get(key, whole.get(()))
            if of:
                found[key] = self.times * value / of
        return found

    def promql(self) -> str:
        """A division."""
        times = f"{self.times:g} * " if self.times != 1 else ""
        return f"{times}({self.part.promql()}) / ({self.whole.promql()} > 0)"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Those of both."""
        yield from self.part.selectors()
        yield from self.whole.selectors()


def by_text(selector: Selector) -> str:
    """The `by` of a PromQL aggregation."""
    return f" by ({', '.join(selector.by)})" if selector.by else ""


def span_text(seconds: float) -> str:
    """A duration as PromQL has it."""
    return f"{seconds / 60:g}m" if seconds % 60 == 0 else f"{seconds:g}s"


def _growth(before: float, after: float) -> float:
    return after - before if after >= before else after
