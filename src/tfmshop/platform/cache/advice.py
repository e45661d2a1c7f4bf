"""What to change about a cache, found in what its processes say, each with the figures that speak for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from tfmshop.platform.cache.report import Report, summed
from tfmshop.platform.cache.tally import Tally

ENOUGH: Final = 1000
"""How often a kind must have been asked for before its rate says anything."""
GOOD_RATE: Final = 0.9
SLOW_SECONDS: Final = 0.1
"""From here on making a value is slow."""
MIB: Final = 1 << 20


class Advice(msgspec.Struct, frozen=True):
    """One thing to change: the figures that speak for it, and what to do."""

    name: str
    evidence: str
    do: str


def advise(reports: Sequence[Report], memory_mib: int, ages: Mapping[str, str]) -> list[Advice]:
    """What to change, the most pressing first; `ages` has the setting of the age of each kind."""
    found = [*_deaf(reports), *_alone(reports), *_full(reports, memory_mib)]
    for name, tally in summed(reports).items():
        found += _kind(name, tally, ages.get(name))
    return found


def _deaf(reports: Sequence[Report]) -> Iterable[Advice]:
    deaf = sum(not report.sure for report in reports)
    if deaf:
        yield Advice(
            "changes are not heard", f"{deaf} of {len(reports)} processes hand out nothing from memory",
            "Let web servers connect to PostgreSQL itself, past PgBouncer in transaction mode: they LISTEN.",
        )  # fmt: skip


def _alone(reports: Sequence[Report]) -> Iterable[Advice]:
    without = sum(not report.redis for report in reports)
    if without and len(reports) > 1:
        misses = sum(tally.misses - tally.shared for tally in summed(reports).values())
        yield Advice(
            "Redis is away", f"{without} of {len(reports)} processes do without it; {misses:,} values were made",
            "Start Redis, or set REDIS_URL: what one process made the others then have.",
        )  # fmt: skip


def _full(reports: Sequence[Report], memory_mib: int) -> Iterable[Advice]:
    made = sum(tally.rebuilds + tally.shared for tally in summed(reports).values())
    evicted, largest = sum(report.evicted for report in reports), max(report.bytes for report in reports) / MIB
    asked = sum(tally.hits + tally.misses for tally in summed(reports).values())
    if evicted > 0.1 * made and largest > 0.9 * memory_mib:
        yield Advice(
            "memory is short", f"{evicted:,} of {made:,} values were dropped for others; {largest:.0f} MiB are full",
            f"CACHE_MEMORY={2 * memory_mib}",
        )  # fmt: skip
    elif asked >= 10 * ENOUGH and not evicted and largest < memory_mib / 8 and memory_mib >= 16:
        yield Advice(
            "memory is not used", f"{largest:.1f} of {memory_mib} MiB after {asked:,} requests, nothing was dropped",
            f"CACHE_MEMORY={max(8, memory_mib // 4)} leaves the rest to PostgreSQL.",
        )  # fmt: skip


def _kind(name: str, tally: Tally, age: str | None) -> Iterable[Advice]:
    asked = tally.hits + tally.misses
    if asked < ENOUGH:
        return
    found = (tally.hits + tally.shared + tally.saved) / asked
    if age and tally.rebuilds and tally.stale > tally.rebuilds / 2:
        yield Advice(
            f"{name} end by age", f"{tally.stale:,} of {tally.rebuilds:,} were made anew because of their age alone",
            f"Raise {age}: changes are told at once, the age is for what is not told.",
        )  # fmt: skip
    elif age and found < GOOD_RATE:
        yield Advice(
            f"{name} are found too rarely", f"{found:.1%} of {asked:,} in memory or Redis; {tally.misses:,} misses",
            "See `tfmshop cache keys`: many different pages want more CACHE_MEMORY, many changes fewer writes.",
        )  # fmt: skip
    if tally.rebuilds and tally.seconds / tally.rebuilds > SLOW_SECONDS:
        each = 1000 * tally.seconds / tally.rebuilds
        yield Advice(
            f"{name} take long to make", f"{each:.0f} ms each, {tally.rebuilds:,} made",
            "Raise CACHE_WARM, and look at their statements in the slow log.",
        )  # fmt: skip
