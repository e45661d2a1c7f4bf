"""The cache of two web processes: never older than the last change, without Redis too; nobody waits at an expiry."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Final
from uuid import UUID

from tfmshop.platform import cache, codec
from tfmshop.platform.cache.cache import EARLY
from tfmshop.platform.db import Database, Query
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import Shop, buy, carts, goods

AT_ONCE: Final = 16
"""Connections, which the system spreads over the processes."""
HEARD_SECONDS: Final = 0.1
"""How long after its commit a change may be unseen."""
REBUILD_SECONDS: Final = 0.3
AGE: Final = 4
EARLIEST: Final = AGE * 0.9 - EARLY * REBUILD_SECONDS
"""Seconds after which a page ends, and after which it may be made anew by chance."""
TITLE = Query("torture.title", "UPDATE catalog.product SET title = $2, updated_at = now() WHERE id = $1")
HOLD = Query("torture.hold", "LOCK TABLE catalog.variant IN ACCESS EXCLUSIVE MODE")


async def coherence(shop: Shop, report: Report, _: int, part: int) -> None:
    """A writer and readers in every process; then Redis hangs, then it is killed again and again."""
    seconds = 20 / part
    async with shop.database() as db, shop.client(AT_ONCE) as client:
        sold = await goods(db, 3, 1000)
        slug = codec.decode((await _get(client, f"/products/{sold.products[0]}")).body)["slug"]
        paths = [f"/products/{slug}", f"/products/{sold.products[0]}", "/products", "/products?limit=3"]
        await _compared(db, client, report, "with Redis", sold.products[0], paths, seconds)
        async with hanging(shop):
            await _compared(db, client, report, "Redis hangs", sold.products[0], paths, seconds)
        async with dying(shop):
            await _compared(db, client, report, "Redis is killed", sold.products[0], paths, seconds)
        reports = await shop.cache_reports(db)
        report.exactly("CACHE", "web processes", len(reports), 2)
        hits = sum(tally.hits for one in reports for tally in one.kinds.values())
        report.at_least("CACHE", "answers from memory", hits, 5000 / part)


async def _compared(
    db: Database, client: Client, report: Report, how: str, product: UUID, paths: list[str], seconds: float
) -> None:
    """Change a product and read it meanwhile: what was asked for a tenth of a second after a change shows it."""
    loop = asyncio.get_running_loop()
    times, numbers = [loop.time()], [0]
    over = loop.time() + seconds
    stale, odd, read, oldest = 0, Counter[str](), 0, 0.0

    async def write() -> None:
        while loop.time() < over:
            async with db.tx() as tx:
                await tx.execute(TITLE, product, f"Number {len(numbers):06}")
            times.append(loop.time())
            numbers.append(len(numbers))
            await asyncio.sleep(random.uniform(0, 0.06))

    async def watch(path: str) -> None:
        nonlocal stale, read, oldest
        await asyncio.sleep(0.2)
        while loop.time() < over:
            asked = loop.time()
            answer = await _get(client, path)
            read += 1
            if answer.status != 200:
                odd[answer.kind] += 1
                continue
            shown = int(answer.body.partition(b"Number ")[2][:6] or 0)
            least = bisect_right(times, asked - HEARD_SECONDS) - 1
            if shown < least:
                stale += 1
            if shown + 1 < len(times):
                oldest = max(oldest, asked - times[shown + 1])

    await asyncio.gather(write(), *[watch(path) for path in paths for _ in range(AT_ONCE // len(paths))])
    report.at_least("CACHE", f"{how}: changes", len(numbers), 10 * seconds)
    report.at_least("CACHE", f"{how}: answers", read, 100 * seconds)
    report.exactly("CACHE", f"{how}: answers that are not 200 {dict(odd) or ''}".rstrip(), odd.total(), 0)
    report.exactly("CACHE", f"{how}: answers older than 100 ms", stale, 0)
    report.at_most("CACHE", f"{how}: the oldest, in ms", oldest * 1000, HEARD_SECONDS * 1000)


async def redis_gone(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R11: Redis hangs for half a minute, then is killed for as long, under mixed traffic."""
    seconds = 30 / part
    draw = random.Random(seed)
    shopper = f"shopper{seed}@example.com"
    await shop.people([shopper], "correct horse")
    async with shop.database() as db, shop.client(AT_ONCE) as client:
        sold = await goods(db, 50, 100_000)
        for how, gone in (("hangs", hanging), ("is killed", dying)):
            kinds: Counter[str] = Counter()
            over = perf_counter() + seconds

            async def traffic(until: float, kinds: Counter[str]) -> None:
                while perf_counter() < until:
                    kinds[(await _something(client, db, sold.products, sold.variants, draw)).kind] += 1

            async with gone(shop):
                await asyncio.gather(*[traffic(over, kinds) for _ in range(AT_ONCE)])
                wrong = {"email": f"guessed-{how[:2]}{seed}@example.com", "password": "a wrong one"}
                guesses = [await client.post("/auth/login", wrong, {}) for _ in range(12)]
                right = {"email": shopper, "password": "correct horse"}
                known = await client.post("/auth/login", right, {})
            failed = sum(times for kind, times in kinds.items() if kind.startswith("5"))
            report.at_least("R11", f"Redis {how}: answers", kinds.total(), 50 * seconds)
            report.exactly("R11", f"Redis {how}: answers of 500 and above", failed, 0)
            report.exactly(
                "R11", f"Redis {how}: guesses with another answer", len({one.status for one in guesses}) - 1, 0
            )
            report.exactly("R11", f"Redis {how}: sign-in with the right password", known.status, 200)
        async with db.read() as tx:
            tries = await tx.value(TRIES)
        report.at_most("R11", "guesses that were looked at, of 12 at each account", tries, 5)


TRIES = Query(
    "torture.tries", "SELECT coalesce(max(cardinality(at)), 0) FROM platform.tries WHERE key LIKE 'account:%'"
)


async def _something(
    client: Client, db: Database, products: list[UUID], variants: list[UUID], draw: random.Random
) -> Answer:
    """A request of a shop's day: mostly pages, some carts and orders."""
    what = draw.random()
    if what < 0.5:
        return await _get(client, f"/products/{draw.choice(products)}")
    if what < 0.75:
        return await _get(client, f"/products?sort=price&limit={draw.choice([5, 10, 20])}")
    if what < 0.9:
        return await _get(client, "/search?q=torture")
    cart = (await carts(db, [[(draw.choice(variants), 1)]]))[0]
    return await buy(client, cart, f"r11 {cart.id}")


async def expiry(shop: Shop, report: Report, _: int, part: int) -> None:
    """R14: the hottest page ends at full load, and takes 300 ms to make anew."""
    seconds = 40 / part
    async with shop.database() as db, shop.client(AT_ONCE) as client:
        before = _rebuilt(await shop.cache_reports(db))
        sold = await goods(db, 1, 10)
        path = f"/products/{sold.products[0]}"
        await _get(client, path)
        over, waited, slowest, read = perf_counter() + seconds, 0, 0.0, 0

        async def load() -> None:
            nonlocal waited, slowest, read
            while perf_counter() < over:
                started = perf_counter()
                assert (await _get(client, path)).status == 200
                took = perf_counter() - started
                read += 1
                slowest = max(slowest, took)
                waited += took > REBUILD_SECONDS / 2

        async def slow_down() -> None:
            """Nobody reads the variants of a product for 300 ms, again and again: who makes the page waits for that."""
            while perf_counter() < over - REBUILD_SECONDS:
                async with db.tx() as tx:
                    await tx.execute(HOLD)
                    await asyncio.sleep(REBUILD_SECONDS)
                await asyncio.sleep(0.005)

        await asyncio.gather(slow_down(), *[load() for _ in range(AT_ONCE)])
        rebuilt = _rebuilt(await shop.cache_reports(db)) - before
        report.at_least("R14", "answers", read, 1000 * seconds)
        report.exactly("R14", "answers that waited for the rebuild", waited, 0)
        report.at_least("R14", "rebuilds: the page ended so often", rebuilt, seconds / (AGE + 2 * REBUILD_SECONDS) - 1)
        report.at_most("R14", "rebuilds: once for each end, in all processes", rebuilt, seconds / EARLIEST + 1)


def _rebuilt(reports: list[cache.report.Report]) -> int:
    return sum(one.kinds["products"].rebuilds for one in reports if "products" in one.kinds)


async def _get(client: Client, path: str) -> Answer:
    return await client.send(path, b"", {}, "GET")


@asynccontextmanager
async def hanging(shop: Shop) -> AsyncIterator[None]:
    """Redis takes connections and does nothing."""
    pid = await _redis_there(shop)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _redis_there(shop: Shop) -> int:
    """The process of Redis, which may have been killed a moment ago and be started again now."""
    known, seen = 0, 0
    for _ in range(200):
        with suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(shop.redis_pid, 0)
            seen = seen + 1 if shop.redis_pid == known else 0
            known = shop.redis_pid
            if seen == 40:
                return known
        await asyncio.sleep(0.05)
    raise ProcessLookupError("Redis was not started again")


@asynccontextmanager
async def dying(shop: Shop) -> AsyncIterator[None]:
    """Redis is killed whenever it is there."""

    async def kill() -> None:
        while True:
            with suppress(ProcessLookupError, FileNotFoundError, ValueError):
                os.kill(shop.redis_pid, signal.SIGKILL)
            await asyncio.sleep(0.05)

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.wait([killing])
