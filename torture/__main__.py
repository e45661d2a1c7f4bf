"""`python -m torture [NAME ...] [--seeds N] [--quick]`: run the figures, print value against goal, keep the table.

Names: r1 ... r8. `--quick` runs a tenth of each.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Final

from torture import buying, paying
from torture.report import Report
from torture.shop import Shop, open_shop

FIGURES: Final[dict[str, Callable[[Shop, Report, int, int], Coroutine[None, None, None]]]] = {
    "r1": buying.hot_product, "r2": buying.crossing_carts, "r3": buying.same_product_often, "r4": buying.same_key,
    "r5": buying.cut_sockets, "r6": paying.confirm_and_webhook, "r7": paying.coupons, "r8": paying.model,
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
    report = Report()
    for name in names:
        with open_shop() as shop:
            for seed in range(1 if asked.quick else asked.seeds):
                asyncio.run(FIGURES[name](shop, report, seed, 10 if asked.quick else 1))
    return 0 if report.write(keep=not asked.quick) else 1


if __name__ == "__main__":
    sys.exit(main())
