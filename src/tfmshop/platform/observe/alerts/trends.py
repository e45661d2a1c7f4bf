"""Where a gauge is going: its slope, and what it will be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tfmshop.platform.observe.alerts.expressions import Values, by_text, span_text
from tfmshop.platform.observe.alerts.history import History, Labels, Moment, Selector


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a gauge grows each second, by the straight line that is nearest to some seconds of it."""

    of: Selector
    seconds: float

    def values(self, history: History) -> Values:
        """Slopes by labels, from a third of the time on."""
        moments = history.within(self.seconds)
        return {key: slope for key, (slope, _) in _lines(self.of, moments, self.seconds).items()}

    def promql(self) -> str:
        """Deriv."""
        return f"{self.of.over}{by_text(self.of)} (deriv({self.of.promql()}[{span_text(self.seconds)}]))"

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a gauge will be some seconds `ahead`, if it goes on along that line."""

    of: Selector
    seconds: float
    ahead: float

    def values(self, history: History) -> Values:
        """What will be, by labels."""
        lines = _lines(self.of, history.within(self.seconds), self.seconds)
        return {key: value + slope * self.ahead for key, (slope, value) in lines.items()}

    def promql(self) -> str:
        """predict_linear."""
        ahead = f"{self.ahead:g}"
        return (
            f"{self.of.over}{by_text(self.of)} (predict_linear({self.of.promql()}[{span_text(self.seconds)}], {ahead}))"
        )

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """Its own."""
        yield self.of, False


def _lines(of: Selector, moments: list[Moment], seconds: float) -> dict[Labels, tuple[float, float]]:
    """The slope and the last value of the line of least squares, by labels."""
    if len(moments) < 3 or moments[-1].at - moments[0].at < seconds / 3:
        return {}
    found = {}
    for key in moments[-1].numbers.get(of, {}):
        points = [(one.at, one.numbers[of][key]) for one in moments if key in one.numbers.get(of, {})]
        middle, mean = sum(at for at, _ in points) / len(points), sum(value for _, value in points) / len(points)
        spread = sum((at - middle) ** 2 for at, _ in points)
        if spread:
            slope = sum((at - middle) * (value - mean) for at, value in points) / spread
            found[key] = (slope, mean + slope * (moments[-1].at - middle))
    return found
