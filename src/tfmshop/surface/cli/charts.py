"""The parts of a report, and lines over time drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

WIDTH, HEIGHT = 640, 160
"""Of a chart, in pixels."""
COLOURS: Final = ("#2563eb", "#dc2626", "#16a34a", "#d97706", "#7c3aed")


class Line(msgspec.Struct):
    """A line of a chart: its name, and values at moments."""

    name: str
    points: list[tuple[datetime, float]]


class Section(msgspec.Struct):
    """A part of a page: words, a table, bars (a name, a value, and how it is written), or a chart."""

    title: str
    text: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    bars: Sequence[tuple[str, float, str]] = ()
    chart: str = ""
    legend: Sequence[tuple[str, str]] = ()


def lines(title: str, lines: Sequence[Line], unit: str) -> Section:
    """A chart of lines over time, from nothing up to the highest value."""
    lines = [line for line in lines if len(line.points) > 1]
    points = [point for line in lines for point in line.points]
    if not points:
        return Section(title, "Nothing was measured yet.")
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    span = (last - first).total_seconds() or 1.0
    most = max(value for _, value in points) or 1.0

    def place(at: datetime, value: float) -> str:
        return f"{(at - first).total_seconds() / span * WIDTH:.1f},{HEIGHT - value / most * HEIGHT:.1f}"

    drawn = "".join(
        f'<polyline fill="none" stroke="{COLOURS[n % len(COLOURS)]}" stroke-width="2" '
        f'points="{" ".join(place(at, value) for at, value in line.points)}"/>'
        for n, line in enumerate(lines)
    )
    legend = [(line.name, COLOURS[n % len(COLOURS)]) for n, line in enumerate(lines)]
    text = f"{first:%H:%M:%S} to {last:%H:%M:%S} UTC, 0 to {_short(most)} {unit}"
    return Section(title, text, chart=drawn, legend=legend)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
