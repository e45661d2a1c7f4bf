"""Value against goal, worst of the seeds."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Line:
    """A figure: what was counted, what it must be, and what it was for each seed."""

    figure: str
    what: str
    goal: str
    holds: Callable[[float], bool]
    values: list[float] = field(default_factory=list)

    @property
    def met(self) -> bool:
        """Whether every seed kept the goal."""
        return all(self.holds(value) for value in self.values)

    @property
    def worst(self) -> float:
        """The first value that missed the goal, or the largest."""
        return next((value for value in self.values if not self.holds(value)), max(self.values))


class Report:
    """Collects values, then prints them."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Line] = {}

    def exactly(self, figure: str, what: str, value: float, goal: float) -> None:
        """A value that must be just that."""
        self._note(Line(figure, what, f"{goal:,.0f}", lambda found: found == goal), value)

    def at_most(self, figure: str, what: str, value: float, goal: float) -> None:
        """A value that must not be larger."""
        self._note(Line(figure, what, f"<= {goal:,.0f}", lambda found: found <= goal), value)

    def at_least(self, figure: str, what: str, value: float, goal: float) -> None:
        """A value that shows the figure was put to the test at all."""
        self._note(Line(figure, what, f">= {goal:,.0f}", lambda found: found >= goal), value)

    def _note(self, line: Line, value: float) -> None:
        self._lines.setdefault((line.figure, line.what), line).values.append(value)
        met = "" if line.holds(value) else "  MISSED"
        print(f"{line.figure:>4}  {line.what}: {value:,.0f} (goal {line.goal}){met}", flush=True)

    def write(self, title: str, keep: Path | None) -> bool:
        """Print the table, and keep it in a file beside what other figures were; whether every goal was met."""
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
        when = f"{datetime.now(UTC):%Y-%m-%d}, {head.stdout.strip()}"
        rows = [
            f"| {line.figure} | {line.what} | {line.worst:,.0f} | {line.goal} | {len(line.values)} "
            f"| {'met' if line.met else 'MISSED'} | {when} |"
            for line in self._lines.values()
        ]
        print(_table(title, rows))
        if keep:
            mine = tuple(f"| {figure} |" for figure, _ in self._lines)
            old = keep.read_text().splitlines() if keep.exists() else []
            others = [row for row in old if row.startswith("| ") and not row.startswith((*mine, "| figure |"))]
            keep.write_text(_table(title, sorted(others + rows, key=lambda row: row.split(" | ")[0])))
        return all(line.met for line in self._lines.values())


def _table(title: str, rows: list[str]) -> str:
    return "\n".join([
        f"# {title}", "", f"Python {platform.python_version()}, {os.cpu_count()} cores. Worst of the seeds.", "",
        "| figure | counted | value | goal | seeds | | when, commit |", "|---|---|---|---|---|---|---|", *rows, "",
    ])  # fmt: skip
