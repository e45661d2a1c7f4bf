"""`python -m torture [NAME ...] [--seeds N] [--quick]`: run the figures, print value against goal, keep the table.

Names: r1 ... r8 (races and cuts); coherence, r11, r13, r14 (cache and load); limits, r17, r18, r19, guesses, sqlmap,
schema (who gets in, and what breaks); faults, quiet, prometheus (R21), r22, midnight (what operators see); r9,
r10, r12, r15, r16, r20 (what is killed, hangs, or is exchanged). `--quick`
runs a tenth of each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from torture import (
    buying,
    caching,
    faults,
    guessing,
    hostile,
    injections,
    lasting,
    limiting,
    overload,
    paying,
    schema,
    staying,
    watching,
    world,
)
from torture.report import Report
from torture.shop import Shop, open_shop

Run = Callable[[Shop, Report, int, int], Coroutine[None, None, None]]
RACES, SECURITY, CACHE, WATCHING = "Races and cuts", "Who gets in", "Cache and load", "What operators see"
STAYING = "What is killed, hangs, or is exchanged"
KEPT: Final = {RACES: "results.md", SECURITY: "security.md", CACHE: "cache.md", WATCHING: "watching.md",
               STAYING: "staying.md"}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """What is run, in which table it stands, the settings of its shop, and how often at most."""

    run: Run
    table: str = RACES
    settings: dict[str, str] = field(default_factory=dict)
    seeds: int = 100
    workers: int = 1
    spoiled: Sequence[str] = ()
    disk_mib: int = 0


FIGURES: Final = {
    "r1": Figure(buying.hot_product), "r2": Figure(buying.crossing_carts), "r3": Figure(buying.same_product_often),
    "r4": Figure(buying.same_key), "r5": Figure(buying.cut_sockets), "r6": Figure(paying.confirm_and_webhook),
    "r7": Figure(paying.coupons), "r8": Figure(paying.model),
    "coherence": Figure(caching.coherence, CACHE, workers=2),
    "r11": Figure(caching.redis_gone, CACHE, {"REDIS_TIMEOUT": "50"}, workers=2),
    "r14": Figure(caching.expiry, CACHE, {"CACHE_TTL_PRODUCTS": str(caching.AGE)}, workers=2),
    "r13": Figure(overload.five_times, CACHE, {"DB_POOL_MAX": "10"}, seeds=1),
    "faults": Figure(faults.injected, WATCHING, faults.SETTINGS, 1, workers=2, spoiled=("--leak",), disk_mib=6000),
    "quiet": Figure(watching.quiet, WATCHING, watching.SETTINGS, seeds=1, workers=2),
    "prometheus": Figure(watching.prometheus, WATCHING, watching.SETTINGS, seeds=1, workers=2),
    "r22": Figure(watching.counted, WATCHING, watching.SETTINGS, workers=2),
    "midnight": Figure(watching.midnight, WATCHING, watching.SETTINGS, 1, workers=2, spoiled=("--midnight", "12")),
    "r9": Figure(staying.workers_killed, STAYING, staying.SETTINGS, workers=2),
    "r10": Figure(staying.database_killed, STAYING, staying.SETTINGS, workers=2),
    "r12": Figure(staying.database_hangs, STAYING, staying.UNCACHED, workers=2),
    "r15": Figure(staying.restarts, STAYING, staying.SETTINGS, workers=2),
    "r16": Figure(lasting.runner_killed, STAYING, lasting.HOOKS),
    "r20": Figure(lasting.any_moment, STAYING, staying.SETTINGS),
    "limits": Figure(limiting.twice, SECURITY, limiting.SETTINGS, workers=2),
    "r17": Figure(hostile.everywhere, SECURITY, world.SETTINGS),
    "r18": Figure(guessing.matrix, SECURITY, seeds=1),
    "r19": Figure(guessing.timing, SECURITY, guessing.BEHIND_A_PROXY),
    "guesses": Figure(guessing.guesses, SECURITY, guessing.BEHIND_A_PROXY),
    "sqlmap": Figure(injections.tried, SECURITY, world.SETTINGS | {"DB_QUERY_TIMEOUT": "20000"}, seeds=1),
    "schema": Figure(schema.checked, SECURITY, {"ENABLE_RATE_LIMIT": "false"}, seeds=1),
}  # fmt: skip


def main() -> int:
    """Run what was named, or everything; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(FIGURES)}; default: all")
    parser.add_argument("--seeds", type=int, default=5, help="how often each figure runs (default 5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, one seed")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(FIGURES):
        parser.error(f"there is no figure {unknown.pop()!r}; there are: {', '.join(FIGURES)}")
    names = asked.names or list(FIGURES)
    reports: dict[str, Report] = {}
    for name in names:
        figure = FIGURES[name]
        report = reports.setdefault(figure.table, Report())
        for seed in range(1 if asked.quick else min(asked.seeds, figure.seeds)):
            with open_shop(figure.settings, figure.workers, figure.spoiled, figure.disk_mib) as shop:
                uvloop.run(figure.run(shop, report, seed, 10 if asked.quick else 1))
    keep = None if asked.quick else Path(__file__).parent
    met = [report.write(table, keep and keep / KEPT[table]) for table, report in reports.items()]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
