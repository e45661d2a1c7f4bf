"""The figures of a shop as people and programs read them."""

from __future__ import annotations

from tfmshop.surface.cli.output import out, print_json, sized
from tfmshop.surface.cli.source import Seen
from tfmshop.surface.pulse import Pulse


def figures(found: Pulse) -> list[tuple[str, str]]:
    """The figures of a pulse as people read them."""

    def ms(value: float | None) -> str:
        return "-" if value is None else f"{value:,.1f} ms"

    def part(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    return [
        ("requests a second", f"{found.requests:,.1f}"), ("failed", part(found.error_rate)),
        ("response p50, p95, p99", f"{ms(found.p50_ms)}, {ms(found.p95_ms)}, {ms(found.p99_ms)}"),
        ("queries a second", f"{found.queries:,.1f}"), ("mean query", ms(found.query_ms)),
        ("slow queries", str(found.slow_queries)), ("cache hit rate", part(found.hit_rate)),
        ("connections", f"{found.pool_used} of {found.pool_most}, {found.pool_waiting} wait"),
        ("memory", f"{sized(found.memory_used)} of {sized(found.memory_limit)}"),
        ("memory of ours", sized(found.memory_of_processes)),
        ("jobs", f"{found.jobs_waiting} wait, late by {found.jobs_late_seconds:.0f} s"),
        ("event loop", f"late by {found.loop_ms:.0f} ms"), ("alerts", ", ".join(found.alerts) or "none"),
    ]  # fmt: skip


def line(seen: Seen, found: Pulse, *, as_json: bool) -> None:
    """Print a pulse in one line."""
    if as_json:
        print_json(
            {"status": seen.health["status"], **{name: getattr(found, name) for name in found.__struct_fields__}}
        )
        return
    p95 = "-" if found.p95_ms is None else f"{found.p95_ms:.1f}"
    hits = "-" if found.hit_rate is None else f"{found.hit_rate:.0%}"
    out.print(
        f"{found.at:%H:%M:%S} {seen.health['status']:8} {found.requests:8,.1f} req/s  p95 {p95:>7} ms  "
        f"failed {found.error_rate or 0:5.1%}  hits {hits:>4}  pool {found.pool_part:4.0%}  "
        f"{', '.join(found.alerts) or 'no alerts'}", markup=False,
    )  # fmt: skip
