"""Hit rates on a day of a shop, over two web processes, by name: from memory or Redis, and from memory alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice

from bench.harness import BIN, UNLIMITED, Figure, finished, free_port, scratch_home, server, write
from bench.traffic import Visit, visits
from tfmshop.config import read
from tfmshop.platform import ids
from tfmshop.platform.cache import Tally, report
from tfmshop.platform.db import Database, Options, Query, connect
from tfmshop.platform.embedded import running
from torture.client import Client

VISITS, WARM, GOAL, AT_ONCE = 80_000, 4, 0.90, 16
"""What is measured, after so many times as many visits: a shop does not begin its day with nothing."""
TELLS = 7
"""Seconds within which processes say what they count."""
PRODUCTS = Query(
    "bench.products", "SELECT id::text, slug, title FROM catalog.product WHERE status = 'active' ORDER BY id"
)
CATEGORIES = Query("bench.categories", "SELECT slug FROM catalog.category ORDER BY id")
ADDRESS = {"name": "T", "line1": "1 Road", "city": "Lyon", "country": "FR"}
BUY = {"payment": {"provider": "fake", "token": "ok"}, "email": "t@example.com", "address": ADDRESS}


def run(count: int = VISITS) -> bool:
    """Measure; whether every goal was met."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        port = free_port()
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "PORT": str(port), "LOG_LEVEL": "warn", "SUSPICION": "off", **UNLIMITED,
        }  # fmt: skip
        finished([str(BIN / "tfmshop"), "seed", "performance"], environment)
        base = f"http://127.0.0.1:{port}"
        serve = [str(BIN / "tfmshop"), "serve", "--workers", "2"]
        with server(serve, f"{base}/health/ready", environment):
            tallies, answers, orders = asyncio.run(_measured(base, config.text("DATABASE_URL"), count))
    figures = [
        Figure(f"{name}: {tally.hits + tally.misses:,} asked{where}", "share", [share], [1.0], goal)
        for name, tally in tallies.items()
        for where, share, goal in ((", memory or Redis", _found(tally), GOAL), (", memory alone", tally.rate, 0.0))
    ]
    notes = (
        f"5,000 products, two web processes, {AT_ONCE} connections; {count:,} visits after {WARM * count:,} that "
        f"warmed it up, {orders:,} orders among them. Answers: {dict(answers)}. The mix is told in bench/traffic.py."
    )
    return write("hits", "Hit rates on a day of a shop", notes, figures)


def _found(tally: Tally) -> float:
    """The share of those who asked that got what was made before, by this process or another."""
    return (tally.hits + tally.shared + tally.saved) / (tally.hits + tally.misses)


async def _measured(base: str, url: str, count: int) -> tuple[dict[str, Tally], Counter[int], int]:
    db = await connect(url, Options(statement_seconds=60, bulk=True, maximum=2))
    async with db.read() as tx:
        products = [tuple(row) for row in await tx.rows(PRODUCTS)]
        categories = [row["slug"] for row in await tx.rows(CATEGORIES)]
    day = visits(1, products, categories)
    async with Client(base, AT_ONCE) as client:
        await _replay(client, list(islice(day, WARM * count)))
        before = await _told(db)
        answers, orders = await _replay(client, list(islice(day, count)))
        after = await _told(db)
    await db.close()
    for name, tally in before.items():
        for part in Tally.__slots__:
            setattr(after[name], part, getattr(after[name], part) - getattr(tally, part))
    return after, answers, orders


async def _told(db: Database) -> dict[str, Tally]:
    await asyncio.sleep(TELLS)
    async with db.read() as tx:
        return report.summed(await report.told(tx))


async def _replay(client: Client, day: list[Visit]) -> tuple[Counter[int], int]:
    answers: Counter[int] = Counter()
    orders = 0
    left = iter(day)

    async def visitor() -> None:
        nonlocal orders
        for visit in left:
            if visit.path:
                answers[(await client.send(visit.path, b"", {}, "GET")).status] += 1
                continue
            made = await client.post("/carts", {}, {})
            if made.status != 201:
                answers[made.status] += 1
                continue
            cart = made.json()
            mine = {"Cart-Token": cart["token"]}
            for product in visit.products:
                await client.post(f"/carts/{cart['id']}/lines", {"product_id": product, "quantity": 1}, mine)
            await client.send(f"/carts/{cart['id']}", b"", mine, "GET")
            if visit.ordered:
                key = {"Idempotency-Key": ids.token()}
                bought = await client.post(f"/carts/{cart['id']}/checkout", BUY, mine | key)
                orders += bought.status == 201

    await asyncio.gather(*[visitor() for _ in range(AT_ONCE)])
    return answers, orders
