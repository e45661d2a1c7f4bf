"""What one machine, ten times its shop and a thousand times would need: from what requests cost here, by simulation.

Measured in the run: processor time of the web process and of PostgreSQL for a cached page, a page that is made, and an
order; hit rates are those of `bench/results/hits.json`, sizes those of tables that hold a million orders and products.
Simulated: the peak as a queue of many servers (requests come at random, take exponentially long, and wait in turn); the
formula of Erlang C gives the cores at which 99 of 100 requests wait less than 20 ms, a run of events checks it.
Assumed, and named in the table: the peak, the mix of `bench/traffic.py`, and prices.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import math
import os
import random
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.harness import (
    BIN,
    CONNECTIONS,
    RESULTS,
    UNLIMITED,
    free_port,
    requests_per_second,
    scratch_home,
    server,
    stamp,
)
from bench.orders import GOODS, Orders, execute
from tfmshop.config import read
from tfmshop.platform.embedded import running

SECONDS: Final = 5
PEAK: Final = 4.0
"""The busiest seconds of a day against its mean."""
BUSY: Final = 0.6
"""The most that a core is used at the peak, so that one machine of several may be lost."""
PAGES, CARTS, ORDERS = 0.94, 0.05, 0.01
WAIT: Final = 0.020
CORE, GIGABYTE, TRAFFIC = 18.0, 0.12, 0.04
"""Assumed prices in USD: a core with 4 GiB for a month, a GB of replicated SSD for a month, a GB sent to the world."""
ROW_BYTES: Final = {"order": 1_820, "product": 3_650}
"""Bytes on disk, indexes among them, of a million orders (placed, line, history) and products (product, variant, stock,
movement, search.entry): 1.82 and 3.65 GB."""
PAGE_BYTES: Final = 3_000
COLUMNS: Final = (
    "shop", "requests/s at the peak", "orders a day", "web cores", "wait p99, simulated", "PostgreSQL cores",
    "of them for writes", "data after a year", "USD a month",
)  # fmt: skip
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Processor time of one request, in milliseconds: of the web server, and of PostgreSQL."""

    web: float
    database: float


def run(seconds: int = SECONDS) -> bool:
    """Measure, work out, and keep the table."""
    costs = _measured(seconds)
    hit = _hit_rate()
    page = Cost(
        hit * costs["cached page"].web + (1 - hit) * costs["made page"].web, (1 - hit) * costs["made page"].database
    )
    cart = Cost(3 * costs["made page"].web, 3 * costs["made page"].database)
    visit = Cost(
        PAGES * page.web + CARTS * cart.web + ORDERS * costs["order"].web,
        PAGES * page.database + CARTS * cart.database + ORDERS * costs["order"].database,
    )
    one = BUSY * (os.cpu_count() or 1) * 1000 / (visit.web + visit.database)
    writing = CARTS * 2 * costs["made page"].database + ORDERS * costs["order"].database
    sizes = ("one machine like this", 1, 10_000), ("10 times", 10, 100_000), ("1,000 times", 1000, 1_000_000)
    rows = [_row(name, one * times, products, visit, writing) for name, times, products in sizes]
    table = "\n".join([
        "# What a shop needs as it grows", "", stamp(), "",
        f"One machine is this one: {os.cpu_count()} cores, which the load shared. Peak {PEAK:.0f} times the mean;",
        f"cores used {BUSY:.0%} at the peak; {hit:.1%} of pages from the cache; {PAGES:.0%} pages, {CARTS:.0%} carts,",
        f"{ORDERS:.0%} orders. Assumed: a cart costs three made pages, two of them as writes; USD {CORE:.0f} a core",
        f"and month, {GIGABYTE} a GB and month of SSD, {TRAFFIC} a GB sent; a year of orders is kept. Cores",
        "are rounded up; Redis, replicas, backups and a second place are not counted.", "",
        "| measured, ms of processor time | web | PostgreSQL |", "|---|---|---|",
        *(f"| {name} | {cost.web:.3f} | {cost.database:.3f} |" for name, cost in costs.items()), "",
        "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|", *rows, "",
    ])  # fmt: skip
    print(table)
    (RESULTS / "capacity.md").write_text(table)
    return True


def _row(name: str, rate: float, products: int, visit: Cost, writing: float) -> str:
    web, database = (cores(rate, cost / 1000) for cost in (visit.web, visit.database))
    simulated = simulate(rate, visit.web / 1000, web)
    orders = rate / PEAK * 86_400 * ORDERS
    writes = cores(rate, writing / 1000)
    gigabytes = (orders * 365 * ROW_BYTES["order"] + products * ROW_BYTES["product"]) / 1e9
    sent = rate / PEAK * 86_400 * 30 * PAGE_BYTES / 1e9
    cost = CORE * (web + database) + GIGABYTE * gigabytes + TRAFFIC * sent
    return (
        f"| {name} | {rate:,.0f} | {orders:,.0f} | {web:,} | {simulated * 1000:.1f} ms | {database:,} | {writes:,} | "
        f"{gigabytes:,.0f} GB | {cost:,.0f} |"
    )


def cores(rate: float, seconds: float) -> int:
    """The least cores with at most `BUSY` of each used, at which 99 of 100 wait less than `WAIT` (Erlang C)."""
    load = rate * seconds
    count = max(1, math.ceil(load / BUSY))
    while _waits(load, count) * math.exp(-(count - load) * WAIT / seconds) > 0.01:
        count += 1
    return count


def _waits(load: float, count: int) -> float:
    """The part of requests that wait at all: Erlang C, from Erlang B by its recurrence."""
    blocked = 1.0
    for n in range(1, count + 1):
        blocked = load * blocked / (n + load * blocked)
    used = load / count
    return blocked / (1 - used + used * blocked)


def simulate(rate: float, seconds: float, count: int, requests: int = 200_000) -> float:
    """The wait in seconds that 99 of 100 of so many requests stay below, event by event."""
    draw = random.Random(1)
    free = [0.0] * count
    now, waits = 0.0, []
    for _ in range(requests):
        now += draw.expovariate(rate)
        start = max(now, free[0])
        heapq.heapreplace(free, start + draw.expovariate(1 / seconds))
        waits.append(start - now)
    return sorted(waits)[int(requests * 0.99)]


def _hit_rate() -> float:
    told = json.loads((RESULTS / "hits.json").read_text())["figures"]
    asked = {f["name"]: f["ours"][0] for f in told if f["name"].endswith("memory or Redis")}
    counts = {name: int(name.split(": ")[1].split(" ")[0].replace(",", "")) for name in asked}
    return sum(asked[name] * counts[name] for name in asked) / sum(counts.values())


def _measured(seconds: int) -> dict[str, Cost]:
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        port, url = free_port(), config.text("DATABASE_URL")
        settings = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home),
                    "PORT": str(port), "SUSPICION": "off", **UNLIMITED}  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **settings})
        asyncio.run(execute(url, GOODS))
        base, found = f"http://127.0.0.1:{port}", {}
        for name, caching in (("cached page", "true"), ("made page", "false")):
            with server(
                [str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", {**settings, "ENABLE_CACHING": caching}
            ):
                slug = json.loads(urllib.request.urlopen(f"{base}/api/v1/products?limit=1").read())["items"][0]["slug"]
                pages = [f"{base}/api/v1/products/{slug}", f"{base}/api/v1/products", f"{base}/api/v1/search?q=laptop"]
                found[name] = _mean([_cost(page, seconds, home) for page in pages])
                if caching == "false":
                    orders = Orders(url, base, home, 3)
                    orders.over_http(1)
                    began = _spent(home)
                    made = orders.over_http(seconds) * seconds
                    found["order"] = _since(began, _spent(home), made)
    return found


def _mean(costs: list[Cost]) -> Cost:
    return Cost(sum(c.web for c in costs) / len(costs), sum(c.database for c in costs) / len(costs))


def _cost(url: str, seconds: int, home: Path) -> Cost:
    requests_per_second(url, seconds=1, connections=CONNECTIONS)
    began = _spent(home)
    count = requests_per_second(url, seconds=seconds, connections=CONNECTIONS) * seconds
    return _since(began, _spent(home), count)


def _since(began: tuple[float, float], ended: tuple[float, float], count: float) -> Cost:
    web, database = (1000 * (end - begin) / count for begin, end in zip(began, ended, strict=True))
    return Cost(web, database)


def _spent(home: Path) -> tuple[float, float]:
    """Processor time so far, in seconds, of `tfmshop serve` and of PostgreSQL with what it had of ended processes."""
    time.sleep(0.2)
    server_pid = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    web = database = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        spent = sum(map(int, fields[11:13]))
        if int(fields[1]) == server_pid:
            database += spent
        elif int(stat.parent.name) == server_pid:
            database += sum(map(int, fields[11:15]))
        elif b"tfmshop\0serve" in words:
            web += spent
    return web / TICKS, database / TICKS
