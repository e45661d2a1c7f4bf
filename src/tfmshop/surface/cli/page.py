"""Reports as one HTML file that needs no network: tables, bars, and lines over time drawn as SVG."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tfmshop.platform import clock
from tfmshop.platform.analysis import queries
from tfmshop.platform.analysis.study import Study
from tfmshop.platform.cache.advice import Advice
from tfmshop.surface.asked import Route
from tfmshop.surface.cli.charts import Line, Section, lines
from tfmshop.surface.cli.output import sized
from tfmshop.surface.cli.source import Seen
from tfmshop.surface.kpis import kpis
from tfmshop.surface.pulse import Pulse


def optimizing(study: Study, cache: list[Advice] | None) -> str:
    """What to change, as a page."""
    costs = study.costs[:15]
    sections = [
        Section("To change", "" if study.advice else "Nothing.", ("what", "because", "effect", "SQL"),
                [(f"{a.kind}: {a.what}", a.evidence, a.effect, ";\n".join(a.sql) + ";") for a in study.advice]),
        Section("The cache", "" if cache else "No web server tells of its cache." if cache is None else "Nothing.",
                ("what", "because", "do"), [(a.name, a.evidence, a.do) for a in cache or ()]),
        Section("Statements by their part of the time", bars=[(c.name, c.share, f"{c.share:.1%}") for c in costs]),
        Section("What they cost", "", ("statement", "calls", "mean ms", "p95 ms", "p99 ms", "most ms", "slow"),
                [(c.name, f"{c.calls:,}", c.mean_ms, c.p95_ms, c.p99_ms, c.most_ms, c.slow) for c in costs]),
        Section("The largest tables", bars=[(t.name, t.bytes, sized(t.bytes)) for t in study.tables[:15]]),
    ]  # fmt: skip
    server = study.server
    about = f"PostgreSQL {server.version}, {sized(server.bytes)}, {server.hit_ratio:.1%} of pages found in memory."
    return page("What to change", about, sections)


def watching(seen: Seen, whole: Pulse, over: str, pulses: Sequence[Pulse], asked: Sequence[Route]) -> str:
    """How a shop does, as a page."""

    def line(name: str, value: Callable[[Pulse], float | None]) -> Line:
        return Line(name, [(one.at, found) for one in pulses if (found := value(one)) is not None])

    health, found = seen.health, queries.costs(seen.reading)[:12]
    alerts = [one for one in health.get("alerts") or () if one["state"] == "firing"]
    sections = [
        Section("Indicators", over, ("figure", "value", "should be", "state"),
                [(k.name, k.shown, k.goal, k.state) for k in kpis(whole)]),
        Section("Alerts", "" if alerts else "Nothing fires.", ("alert", "severity", "says", "what to do"),
                [(a["alert"], a["severity"], a["says"], a["mend"]) for a in alerts]),
        lines("Requests", [line("all", lambda p: p.requests), line("failed", lambda p: p.errors)], "a second"),
        lines("Response times", [line("p50", lambda p: p.p50_ms), line("p95", lambda p: p.p95_ms),
                                 line("p99", lambda p: p.p99_ms)], "ms"),
        lines("Statements", [line("all", lambda p: p.queries)], "a second"),
        lines("Cache hit rate", [line("found", lambda p: p.hit_rate and 100 * p.hit_rate)], "%"),
        lines("Connections", [line("in use", lambda p: float(p.pool_used)),
                              line("waiting", lambda p: float(p.pool_waiting))], ""),
        lines("Memory of our processes", [line("all", lambda p: p.memory_of_processes / (1 << 20))], "MiB"),
        Section("Routes, since they started", "", ("route", "method", "a second", "failed", "p50 ms", "p95 ms"),
                [(r.route, r.method, f"{r.requests:,.2f}", f"{r.error_rate:.1%}", f"{r.p50_ms:.1f}", f"{r.p95_ms:.1f}")
                 for r in asked[:20]]),
        Section("Statements by their part of the time", bars=[(c.name, c.share, f"{c.share:.1%}") for c in found]),
    ]  # fmt: skip
    about = f"The shop is {health['status']}. TFMShop {health.get('version', '')}."
    return page("How the shop does", about, sections)


def page(title: str, about: str, sections: Iterable[Section]) -> str:
    """A whole page."""
    return _template().render(title=title, about=about, at=clock.now(), sections=list(sections))


def write(output: Path | None, text: str) -> None:
    """Write a report to a file, or to standard output."""
    if output is None:
        sys.stdout.write(text + "\n")
    else:
        output.write_text(text + "\n")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tfmshop.surface.cli", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html")
