"""`python -m bench [NAME ...] [--quick]`: measure, print the tables, and keep them in bench/results.

Names: p1, hits, p2, p7, p9, orders (P3 and P4), million (P5, P6 and P8), p10, queries, reindex, capacity, whole.
"""

from __future__ import annotations

import shutil
import sys

from bench import capacity, hits, million, orders, p1, p2, p7, p9, p10, queries, reindex, whole

WORK = {
    "p1": p1.run, "hits": hits.run, "p2": p2.run, "p7": p7.run, "p9": p9.run, "orders": orders.run,
    "million": million.run, "p10": p10.run, "queries": queries.run, "reindex": reindex.run,
    "capacity": capacity.run,
    "whole": whole.run,
}  # fmt: skip
QUICK = {
    "p1": {"rounds": 3, "seconds": 2},
    "hits": {"count": 8000},
    "p7": {"requests": 30_000},
    "p2": {"rounds": 3, "seconds": 2},
    "p9": {"starts": 2},
    "orders": {"rounds": 3, "seconds": 2},
    "million": {"rounds": 3, "large": 50_000},
    "reindex": {"products": 20_000},
    "capacity": {"seconds": 2},
    "whole": {"count": 20_000},
}


def main() -> int:
    """Run what was named, or everything; 1 when a goal was missed."""
    if shutil.which("wrk") is None:
        print("The load generator wrk is missing: install it (on Debian: apt install wrk).", file=sys.stderr)
        return 2
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(WORK)
    if unknown := set(names) - set(WORK):
        print(f"There is no measurement {unknown.pop()!r}; there are: {', '.join(WORK)}.", file=sys.stderr)
        return 2
    quick = QUICK if "--quick" in sys.argv else {}
    met = [WORK[name](**quick.get(name, {})) for name in names]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
