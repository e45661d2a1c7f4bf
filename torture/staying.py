"""R9, R10, R12, R15: processes and servers that are killed, hang, or are exchanged, while people buy."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Final

import asyncpg

from tfmshop.platform.db import Database
from tfmshop.platform.observe.process import METRICS
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import Cart, Goods, Ledger, Shop, books, buy, carts, goods

BUYERS: Final = 24
AT_A_TIME: Final = 2000
SETTINGS: Final = {"LOG_LEVEL": "error"}
UNCACHED: Final = {"ENABLE_CACHING": "false"}
LAST_SECONDS: Final = 60.0
"""How long an order may take that was begun when the killing ended."""
AGAIN: Final = {
    "409 request_in_progress",
    "503 busy",
    "503 database_unavailable",
    "503 took_too_long",
    "503 overloaded",
    "503 no_answer_in_time",
}
"""Answers after which the same key is sent again."""


class Buyers:
    """People who buy without end, each order until it is acknowledged; every answer is in the ledger."""

    def __init__(self, shop: Shop, db: Database, sold: Goods) -> None:
        self._shop, self._db, self._sold = shop, db, sold
        self.ledger: Ledger = shop.ledger()
        self.made: list[Cart] = []
        self.answers: Counter[str] = Counter()
        self.acknowledged_at: list[float] = []
        self._left: list[Cart] = []
        self._making = asyncio.Lock()
        self._over = False

    @asynccontextmanager
    async def buying(self, at_once: int = BUYERS) -> AsyncIterator[None]:
        """They buy while the block runs; what they began then is finished."""
        await self._cart()
        async with self._shop.client(at_once) as client:
            tasks = [asyncio.create_task(self._buy(client)) for _ in range(at_once)]
            try:
                yield
            finally:
                self._over = True
                async with asyncio.timeout(LAST_SECONDS):
                    await asyncio.gather(*tasks)

    async def _buy(self, client: Client) -> None:
        while not self._over:
            cart = await self._cart()
            for attempt in range(10_000):
                answer: Answer | None = None
                with suppress(OSError, EOFError, TimeoutError):
                    answer = await buy(client, cart, str(cart.id))
                self.ledger.note(str(cart.id), attempt, answer)
                kind = answer.kind if answer else "no answer"
                self.answers[kind] += 1
                if kind == "201":
                    self.acknowledged_at.append(perf_counter())
                if answer is not None and kind not in AGAIN:
                    break
                await asyncio.sleep(0.05)

    async def _cart(self) -> Cart:
        async with self._making:
            while not self._left:
                with suppress(asyncpg.PostgresError, OSError, Exception):
                    wanted = [[(self._sold.variants[0], 1)]] * AT_A_TIME
                    self._left = await carts(self._db, wanted)
                    self.made += self._left
                if not self._left:
                    await asyncio.sleep(0.1)
            return self._left.pop()

    async def report(self, report: Report, figure: str, *, cut: bool = True, least: int = 500) -> None:
        """What they were answered, and what the books say."""
        orders = self.answers.pop("201")
        report.at_least(figure, "orders", orders, least)
        for kind in AGAIN | ({"no answer"} if cut else set()):
            self.answers.pop(kind, 0)
        told = ", ".join(f"{kind} x {count}" for kind, count in self.answers.items())
        report.exactly(figure, f"other answers {told}", self.answers.total(), 0)
        for what, count in (await books(self._db, self._sold, self.made, self.ledger)).items():
            report.exactly(figure, what, count, 0)


async def workers_killed(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R9: a worker is killed every 5 s, for two minutes."""
    source = random.Random(seed)
    async with shop.database() as db:
        buyers = Buyers(shop, db, await goods(db, 1, 100_000_000))
        killed = 0
        async with buyers.buying():
            for _ in range(max(4, 24 // part)):
                await asyncio.sleep(5)
                with suppress(ProcessLookupError, IndexError):
                    os.kill(source.choice(workers(shop)), signal.SIGKILL)
                    killed += 1
        report.at_least("R9", "workers killed", killed, max(4, 24 // part) - 2)
        await buyers.report(report, "R9")


async def database_killed(shop: Shop, report: Report, _: int, part: int) -> None:
    """R10: every process of PostgreSQL is killed, ten times."""
    async with shop.database() as db:
        buyers = Buyers(shop, db, await goods(db, 1, 100_000_000))
        slowest = 0.0
        async with buyers.buying():
            for _ in range(max(3, 10 // part)):
                await asyncio.sleep(4)
                _all(shop, signal.SIGKILL)
                back = await _there(shop)
                async with asyncio.timeout(30):
                    while not any(moment > back for moment in buyers.acknowledged_at[-BUYERS:]):  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                slowest = max(slowest, perf_counter() - back)
        report.at_most("R10", "ms from its return to the next order", 1000 * slowest, 5000)
        await buyers.report(report, "R10", cut=False)


async def database_hangs(shop: Shop, report: Report, _: int, part: int) -> None:
    """R12: every process of PostgreSQL stands still for 30 s; then every connection is held."""
    seconds = 30 / part
    async with shop.database() as db, shop.client(64) as client:
        buyers = Buyers(shop, db, await goods(db, 1, 100_000_000))
        sold = await goods(db, 40, 10)
        paths = [f"/products/{product}" for product in sold.products]
        async with buyers.buying():
            await asyncio.sleep(1)
            _all(shop, signal.SIGSTOP)
            try:
                asked = await _probed(client, seconds, [*paths, "LIVE"])
            finally:
                _all(shop, signal.SIGCONT)
            back = perf_counter()
            async with asyncio.timeout(30):
                while not any(moment > back for moment in buyers.acknowledged_at[-BUYERS:]):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            healed = perf_counter() - back
        report.at_least("R12", "requests while PostgreSQL hangs", sum(asked.counts.values()), 30 * seconds)
        report.at_most("R12", "ms for the slowest answer while it hangs", 1000 * asked.slowest, 3000)
        report.at_most("R12", "ms for the slowest /health/live while it hangs", 1000 * asked.slowest_live, 250)
        report.exactly("R12", f"other answers while it hangs {asked.others}", asked.wrong, 0)
        report.at_most("R12", "ms until the next order", 1000 * healed, 5000)
        await buyers.report(report, "R12", least=100)
        await _all_held(shop, report, client, paths, seconds / 3)


async def _all_held(shop: Shop, report: Report, client: Client, paths: list[str], seconds: float) -> None:
    """Every connection of the shop waits for a lock that somebody has; who finds none must be told soon."""
    async with shop.database() as db, db.tx() as tx:
        for table in ("catalog.product", "cart.cart"):
            await tx.execute(_locked(table))
        asked = await _probed(client, seconds, paths)
    report.at_least("R12", "requests while every connection is held", sum(asked.counts.values()), 10 * seconds)
    report.at_most("R12", "ms for the slowest answer of who found none free", 1000 * asked.slowest_busy, 600)
    report.at_most("R12", "ms for the slowest answer of who had one", 1000 * asked.slowest, 3000)
    report.exactly("R12", f"other answers while all are held {asked.others}", asked.wrong, 0)


async def restarts(shop: Shop, report: Report, _: int, part: int) -> None:
    """R15: the workers are exchanged ten times, under requests over connections that stay open."""
    from tfmshop.surface.serving import read_status

    port = int(shop.environment["PORT"])
    async with shop.database() as db, shop.client(24) as client:
        sold = await goods(db, 20, 10)
        buyers = Buyers(shop, db, await goods(db, 1, 100_000_000))
        over, failed, read = False, Counter[str](), 0

        async def browse(source: random.Random) -> None:
            nonlocal read
            while not over:
                try:
                    answer = await client.send(f"/products/{source.choice(sold.products)}", b"", {}, "GET")
                    failed[answer.kind] += answer.status != 200
                    read += 1
                except (OSError, EOFError) as error:
                    failed[repr(error)] += 1

        browsing = [asyncio.create_task(browse(random.Random(n))) for n in range(24)]
        done = 0
        async with buyers.buying(8):
            for _ in range(max(3, 10 // part)):
                await asyncio.sleep(1)
                before = read_status(shop.home, port)
                assert before is not None
                os.kill(before.pid, signal.SIGHUP)
                async with asyncio.timeout(90):
                    while (now := read_status(shop.home, port)) is None or now.generation == before.generation \
                            or now.state == "starting":  # fmt: skip  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                done += now.state == "serving"
                await asyncio.sleep(4)
        over = True
        await asyncio.gather(*browsing)
        report.exactly("R15", "restarts", done, max(3, 10 // part))
        report.at_least("R15", "pages meanwhile", read, 10_000 / part)
        told = ", ".join(f"{kind} x {count}" for kind, count in failed.items() if count)
        report.exactly("R15", f"requests that failed {told}", failed.total(), 0)
        report.exactly("R15", "checkouts without an answer", buyers.answers.pop("no answer", 0), 0)
        await buyers.report(report, "R15", cut=False)


class _Asked:
    """What probes were answered, and how slowly."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.slowest = self.slowest_live = self.slowest_busy = 0.0

    @property
    def others(self) -> str:
        """Answers that should not be."""
        return ", ".join(f"{kind} x {count}" for kind, count in self.counts.items() if self._is_wrong(kind))

    @property
    def wrong(self) -> int:
        """How many of them."""
        return sum(count for kind, count in self.counts.items() if self._is_wrong(kind))

    @staticmethod
    def _is_wrong(kind: str) -> bool:
        return not kind.startswith(("200", "503"))


async def _probed(client: Client, seconds: float, paths: list[str]) -> _Asked:
    """Ask for these, one after another, from 16 at once; `LIVE` is the probe of a balancer."""
    over, asked = perf_counter() + seconds, _Asked()

    async def one(number: int) -> None:
        while perf_counter() < over:
            path = paths[number % len(paths)]
            number += 1
            began = perf_counter()
            if path == "LIVE":
                answer = await client.send("/health/live", b"", {}, "GET", base="")
            else:
                answer = await client.send(path, b"", {}, "GET")
            took = perf_counter() - began
            asked.counts[answer.kind] += 1
            if path == "LIVE":
                asked.slowest_live = max(asked.slowest_live, took)
            elif answer.kind in ("503 busy", "503 overloaded"):
                asked.slowest_busy = max(asked.slowest_busy, took)
            asked.slowest = max(asked.slowest, took)

    await asyncio.gather(*[one(41 * number) for number in range(16)])
    return asked


def _locked(table: str) -> object:
    from tfmshop.platform.db import written

    return written(f"torture.lock_{table}", f"LOCK TABLE {table}")


def workers(shop: Shop) -> list[int]:
    """The processes that answer requests."""
    found = {int(file.name.split("-")[1]) for file in (shop.home / METRICS).glob("web-*.cells")}
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def _all(shop: Shop, number: signal.Signals) -> None:
    """Send a signal to every process of PostgreSQL, the first of them first."""
    try:
        first = int((shop.home / "postgres" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    except (OSError, IndexError, ValueError):
        return
    for pid in (first, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def _there(shop: Shop) -> float:
    """Wait until PostgreSQL lets somebody in; when that was."""
    async with asyncio.timeout(60):
        while True:
            try:
                await (await asyncpg.connect(shop.environment["DATABASE_URL"], timeout=1)).close()
            except (OSError, asyncpg.PostgresError, TimeoutError):
                await asyncio.sleep(0.02)
            else:
                return perf_counter()
