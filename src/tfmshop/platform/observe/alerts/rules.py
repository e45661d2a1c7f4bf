"""An alert: what must be true for how long, what that means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tfmshop.platform.observe.alerts.expressions import Expression, Values
from tfmshop.platform.observe.alerts.history import History, Labels, Selector

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison. Once it was true, it stays so until the number is beyond `back`, so that none flickers."""

    of: Expression
    sign: Literal[">", "<"]
    limit: float
    back: float | None = None

    def true(self, history: History, already: set[Labels]) -> Values:
        """The labels for which it is true, with the number; `already` are those for which it was."""
        found = {}
        for key, value in self.of.values(history).items():
            limit = self.back if self.back is not None and key in already else self.limit
            if value > limit if self.sign == ">" else value < limit:
                found[key] = value
        return found

    def promql(self) -> str:
        """The same for Prometheus, which has its own way against flickering (`keep_firing_for`)."""
        return f"{self.of.promql()} {self.sign} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Alert:
    """`tests` must all be true for `seconds`; the first gives the number and the labels. `keep` is how long it goes on
    after they are not any more. `says` has `{value}` and the names of the labels.
    """

    name: str
    tests: Sequence[Limit]
    seconds: float
    severity: Severity
    says: str
    mend: str
    unit: Literal["", "%", "s", "ms", "bytes", "/s"] = ""
    keep: float = 60.0

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels that tell its instances apart."""
        return next(iter(self.tests[0].of.selectors()))[0].by

    def selectors(self) -> Iterator[tuple[Selector, bool]]:
        """What of a reading it needs."""
        for test in self.tests:
            yield from test.of.selectors()

    def true(self, history: History, already: set[Labels]) -> Values:
        """The labels for which everything is true, with the number of the first test."""
        first, *others = [test.true(history, already) for test in self.tests]
        return {key: value for key, value in first.items() if all(key in other or () in other for other in others)}

    def promql(self) -> str:
        """The condition for Prometheus."""
        first, *others = self.tests
        written = first.promql()
        for other in others:
            by = next(iter(other.of.selectors()))[0].by
            written = f"({written}) and on ({', '.join(by)}) ({other.promql()})"
        return written

    def told(self, value: float, labels: Labels) -> str:
        """What it says of a number."""
        return self.says.format(value=written(value, self.unit), **dict(zip(self.labels, labels, strict=True)))


def written(value: float, unit: str) -> str:
    """A number as people read it."""
    if unit == "%":
        return f"{100 * value:.1f} %"
    if unit == "ms":
        return f"{1000 * value:,.0f} ms"
    if unit == "bytes":
        return f"{value / (1 << 20):,.1f} MiB"
    return f"{value:,.4g}{' ' if unit and unit != '/s' else ''}{unit}"
