"""The key performance indicators of a shop: what they are, and what they should be."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from tfmshop.surface.pulse import Pulse

FEW: Final = 20
"""Requests, and lookups in the cache, below which nothing is said of them."""


class Kpi(msgspec.Struct, frozen=True):
    """A figure, what it should be, and whether it is: `ok`, `bad`, or `unknown` where too little happened."""

    name: str
    value: float | None
    goal: str
    state: Literal["ok", "bad", "unknown"]
    shown: str


def kpis(found: Pulse) -> list[Kpi]:
    """The key performance indicators: response time, query time, hit rate, errors, memory, pool."""
    enough = found.requests * found.seconds >= FEW
    memory = found.memory_used / found.memory_limit if found.memory_limit else None
    return [
        _kpi("95 % of responses", found.p95_ms if enough else None, "< 500 ms", 500, "ms"),
        _kpi("mean query", found.query_ms, "< 100 ms", 100, "ms"),
        _kpi("cache hit rate", found.hit_rate if found.lookups >= FEW else None, "> 90 %", 0.9, "%", above=True),
        _kpi("errors", found.error_rate if enough else None, "< 1 %", 0.01, "%"),
        _kpi("memory", memory, "< 85 %", 0.85, "%"),
        _kpi("connections in use", found.pool_part, "< 80 %", 0.8, "%"),
    ]


def _kpi(
    name: str, value: float | None, goal: str, limit: float, unit: str, *, above: bool = False
) -> Kpi:  # fmt: skip
    if value is None:
        return Kpi(name, None, goal, "unknown", "too little happened")
    shown = f"{100 * value:.1f} %" if unit == "%" else f"{value:,.1f} ms"
    good = value > limit if above else value < limit
    return Kpi(name, value, goal, "ok" if good else "bad", shown)
