"""The dashboard itself: figures, a line of traffic, and a table that keys change; for terminals from 80 by 24 on."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import DataTable, Footer, Sparkline, Static

from tfmshop.platform import clock, codec
from tfmshop.surface.cli.host import Failure
from tfmshop.surface.cli.output import printable, sized
from tfmshop.surface.cli.source import Seen, Source
from tfmshop.surface.cli.views import VIEWS
from tfmshop.surface.kpis import kpis
from tfmshop.surface.pulse import Pulse, pulse

KEPT: Final = 240
"""Looks that are kept for the line."""
GOOD, BAD, DIM = "green", "bold red", "dim"


class Screen(App[None]):
    """Looks each second, or as often as told."""

    CSS = """
    #head { height: 1; background: $primary-background; padding: 0 1; }
    #figures { grid-size: 4 2; grid-gutter: 0 1; height: 8; padding: 0 1; }
    #figures Static { border: round $primary-background-lighten-2; height: 4; padding: 0 1; }
    #traffic { height: 2; margin: 0 1; }
    #title { height: 1; padding: 0 1; text-style: bold; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('routes')", "Routes"),
        Binding("2", "view('statements')", "Statements"),
        Binding("3", "view('processes')", "Processes"),
        Binding("4", "view('jobs')", "Jobs"),
        Binding("5", "view('alerts')", "Alerts"),
        Binding("p", "pause", "Pause"),
        Binding("s", "save", "Save"),
        Binding("q", "quit", "Quit"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, source: Source, every: float) -> None:
        super().__init__()
        self._source = source
        self._every = every
        self._before: Seen | None = None
        self._seen: Seen | None = None
        self._paused = False
        self._view = "routes"
        self._said = ""
        self.pulses: deque[Pulse] = deque(maxlen=KEPT)

    def compose(self) -> ComposeResult:
        """The parts, from the top down."""
        yield Static("looking...", id="head")
        with Grid(id="figures"):
            for name in ("requests", "latency", "errors", "cache", "pool", "queries", "memory", "jobs"):
                yield Static(id=name)
        yield Sparkline([], id="traffic")
        yield Static(id="title")
        yield DataTable(id="table", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.run_worker(self._watch(), exclusive=True)

    async def on_unmount(self) -> None:
        """Let go of the connection."""
        await self._source.close()

    async def _watch(self) -> None:
        while True:
            if not self._paused:
                await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Look once, and show it."""
        try:
            seen = await self._source.look()
        except Failure as failure:
            self.query_one("#head", Static).update(Text(f"{clock.now():%H:%M:%S}  {failure}", style=BAD))
            self._before = None
            return
        self._before, self._seen = self._seen, seen
        if self._before is not None and seen.reading.at > self._before.reading.at:
            self.pulses.append(pulse(self._before.reading, seen.reading))
            self._show()

    def _show(self) -> None:
        if self._seen is None or not self.pulses:
            return
        found, health = self.pulses[-1], self._seen.health
        bad = {one.name for one in kpis(found) if one.state == "bad"}
        head = Text.assemble(
            (f"{health['status'].upper()}", GOOD if health["status"] == "ok" else BAD),
            f"  {self._source.url}  TFMShop {health.get('version', '')}  {found.at:%H:%M:%S} UTC",
            ("  paused" if self._paused else "", DIM), (f"  {self._said}" if self._said else "", DIM),
            (f"  {len(found.alerts)} alerts" if found.alerts else "", BAD),
        )  # fmt: skip
        self.query_one("#head", Static).update(head)
        for name, lines in _boxes(found).items():
            alarming = any(figure in bad for figure in _FIGURES.get(name, ()))
            box = self.query_one(f"#{name}", Static)
            box.border_title = name
            box.update(Text("\n".join(lines), style=BAD if alarming else ""))
        self.query_one("#traffic", Sparkline).data = [one.requests for one in self.pulses]
        self._fill()

    def _fill(self) -> None:
        if self._seen is None:
            return
        title, columns, rows = VIEWS[self._view](self._seen, self._before)
        self.query_one("#title", Static).update(title)
        table: DataTable[Any] = self.query_one("#table", DataTable)
        where = table.cursor_row
        table.clear(columns=True)
        table.add_columns(*columns)
        for row in rows:
            table.add_row(*(Text(printable(str(cell))) for cell in row))
        if table.row_count:
            table.move_cursor(row=min(where, table.row_count - 1))

    def action_view(self, name: str) -> None:
        """Show another table."""
        self._view = name
        self._fill()

    def action_pause(self) -> None:
        """Stop looking, or go on."""
        self._paused = not self._paused
        self._show()

    def action_save(self) -> None:
        """Write the figures that were seen into a file here."""
        file = Path(f"dashboard-{clock.now():%Y%m%d-%H%M%S}.json")
        try:
            file.write_bytes(codec.encode(list(self.pulses)))
            self._said = f"saved {file}"
        except OSError as error:
            self._said = f"not saved: {error.strerror}"
        self._show()


_FIGURES: Final = {"latency": ["95 % of responses"], "errors": ["errors"], "cache": ["cache hit rate"],
                   "pool": ["connections in use"], "queries": ["mean query"], "memory": ["memory"]}  # fmt: skip
"""The indicators that turn each box red."""


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _part(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _boxes(found: Pulse) -> dict[str, list[str]]:
    return {
        "requests": [f"{found.requests:,.0f} a second", f"{found.active} now"],
        "latency": [f"p50 {_ms(found.p50_ms)} ms", f"p95 {_ms(found.p95_ms)} ms"],
        "errors": [f"{_part(found.error_rate)} failed", f"{found.errors:,.1f} a second"],
        "cache": [f"{_part(found.hit_rate)} hits", ""],
        "pool": [f"{found.pool_used} of {found.pool_most}", f"{found.pool_waiting} wait"],
        "queries": [f"{found.queries:,.0f} a second", f"{_ms(found.query_ms)} ms each"],
        "memory": [f"{_part(found.memory_used / found.memory_limit if found.memory_limit else None)} used",
                   f"ours {sized(found.memory_of_processes)}"],
        "jobs": [f"{found.jobs_waiting} wait", f"late {found.jobs_late_seconds:.0f} s"],
    }  # fmt: skip
