"""R21: twelve faults, each of which must raise its own alert within two minutes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from time import perf_counter
from typing import Final

import trustme

from bench.harness import free_port
from tfmshop.commerce import news
from tfmshop.platform import clock, done, ids
from tfmshop.platform.db import Database, Query
from tfmshop.platform.jobs import events
from tfmshop.platform.observe.alerts import state
from tfmshop.platform.outgoing import Outgoing
from torture import spoiled
from torture.caching import hanging
from torture.client import Client
from torture.report import Report
from torture.shop import BUY, Cart, Shop, carts, goods

SETTINGS: Final = {
    "ENABLE_FILE_LOGGING": "true", "LOG_LEVEL": "error", "WEBHOOKS_PRIVATE": "true", "PAYMENT_TIMEOUT": "1000",
}  # fmt: skip
WITHIN: Final = 120.0
CALM: Final = 430.0
"""Seconds of ordinary traffic before what is compared with it."""
HOLD_CARTS = Query("torture.hold_carts", "LOCK TABLE cart.cart IN ACCESS EXCLUSIVE MODE")
HOLD_VARIANTS = Query("torture.hold_variants", "LOCK TABLE catalog.variant IN ACCESS EXCLUSIVE MODE")

Fault = Callable[[], AsyncIterator[None]]


class Watched:
    """A shop with ordinary traffic, and what its watchman says."""

    def __init__(self, shop: Shop, db: Database, client: Client, report: Report) -> None:
        self.shop, self.db, self.client, self._report = shop, db, client, report
        self.rate = 15.0
        self.odd = 0.0
        """The part of requests that no cache can have."""

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        _, found = state.shown(self.shop.home / "metrics")
        return {one.alert for one in found if one.state == "firing"}

    async def traffic(self) -> None:
        """Ordinary customers, for ever."""
        draw, tasks = random.Random(1), set()

        async def one() -> None:
            path = (
                f"/search?q={ids.readable(8)}"
                if draw.random() < self.odd
                else draw.choice(["/products", "/categories"])
            )
            with suppress(OSError, TimeoutError):
                await self.client.send(path, b"", {}, "GET")

        while True:
            await asyncio.sleep(draw.expovariate(self.rate))
            task = asyncio.create_task(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def raises(self, alert: str, fault: str) -> None:
        """Note after how long an alert fires, from now on."""
        started = perf_counter()
        while alert not in self.firing() and perf_counter() - started < WITHIN + 10:  # noqa: ASYNC110 - as below
            await asyncio.sleep(1)
        self._report.at_most("R21", f"{fault}: {alert}, after s", round(perf_counter() - started), WITHIN)

    async def ends(self, *alerts: str) -> None:
        """Wait until these do not fire any more."""
        async with asyncio.timeout(400):
            while self.firing() & set(alerts):  # noqa: ASYNC110 - another process decides
                await asyncio.sleep(1)


async def injected(shop: Shop, report: Report, _: int, __: int) -> None:
    """Those that leave the traffic alone at once, the others one after another; the same however quick."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shop.working())
        db = await stack.enter_async_context(shop.database())
        client = await stack.enter_async_context(shop.client(400))
        watched = Watched(shop, db, client, report)
        traffic = asyncio.create_task(watched.traffic())
        await asyncio.sleep(20)
        report.exactly("R21", "alerts that fire before anything is wrong", len(watched.firing()), 0)
        begun = perf_counter()
        await _apart(watched)
        await asyncio.sleep(max(0.0, CALM - (perf_counter() - begun)))
        for fault, alert, name in (
            (spike, "TrafficSpike", "traffic spike"), (misses, "HitRateDropped", "hit rate drops"),
            (slow, "SlowQueries", "slow query"), (payments, "PaymentsFail", "payments fail"),
            (errors, "Errors", "error burst"), (full, "PoolFull", "pool full"),
            (no_redis, "RedisDown", "Redis is lost"),
        ):  # fmt: skip
            async with fault(watched):
                await watched.raises(alert, name)
            await watched.ends(alert)
        traffic.cancel()
        await asyncio.wait([traffic])


async def _apart(watched: Watched) -> None:
    """Faults that have nothing to do with each other or with the traffic, all at once."""
    faults = (
        (backup, "BackupLate", "no backup for 30 hours"),
        (certificate, "WebhookCertificate", "a receiver's certificate"),
        (disk, "DiskLow", "disk low"), (leak, "MemoryGrows", "memory grows"), (stuck, "JobsLate", "a job is stuck"),
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        for fault, _, _ in faults:  # the runner hangs last: the receiver must have been told of something before
            await stack.enter_async_context(fault(watched))
            await asyncio.sleep(5 * (fault is certificate))
        await asyncio.gather(*[watched.raises(alert, name) for _, alert, name in faults])


@asynccontextmanager
async def backup(watched: Watched) -> AsyncIterator[None]:
    """The last one that was noted is 30 hours old."""
    async with watched.db.tx() as tx:
        await done.note(tx, done.BACKUP, clock.now() - timedelta(hours=30))
    yield
    async with watched.db.tx() as tx:
        await done.note(tx, done.BACKUP, clock.now())


@asynccontextmanager
async def certificate(watched: Watched) -> AsyncIterator[None]:
    """A receiver of webhooks has a certificate that nobody vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    port = free_port()
    receiver = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port, ssl=context)
    async with watched.db.tx() as tx:
        await news.endpoints.add(tx, Outgoing(private=True), f"https://127.0.0.1:{port}/hook", ["order.delivered"])
        subject = ids.new()
        await events.publish(tx, "order.delivered", subject, {})
    yield
    receiver.close()


@asynccontextmanager
async def stuck(watched: Watched) -> AsyncIterator[None]:
    """The job runner hangs, with work to do."""
    (file,) = (watched.shop.home / "metrics").glob("jobs-*.cells")
    pid = int(file.name.split("-")[1])
    os.kill(pid, signal.SIGSTOP)
    async with watched.db.tx() as tx:
        await events.publish(tx, "order.delivered", ids.new(), {})
    yield
    os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def disk(watched: Watched) -> AsyncIterator[None]:
    """The disk of TFMSHOP_HOME, which is a small one of its own here, is filled by somebody to the last twentieth."""
    found, file = os.statvfs(watched.shop.home), watched.shop.home / "filler"
    with file.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, found.f_frsize * (found.f_bavail - found.f_blocks // 20))
    yield
    file.unlink()


@asynccontextmanager
async def leak(watched: Watched) -> AsyncIterator[None]:
    """A web process keeps 20 MB more each second."""
    names = [file.name for file in (watched.shop.home / "metrics").glob("web-*.cells")]
    pid = int(names[0].split("-")[1])
    os.kill(pid, spoiled.LEAK)
    yield
    os.kill(pid, spoiled.STOP)


@asynccontextmanager
async def spike(watched: Watched) -> AsyncIterator[None]:
    """Ten times as many requests."""
    watched.rate *= 10
    yield
    watched.rate /= 10


@asynccontextmanager
async def misses(watched: Watched) -> AsyncIterator[None]:
    """Somebody asks for what nobody asked for before."""
    watched.odd, watched.rate = 0.9, 25.0
    yield
    watched.odd, watched.rate = 0.0, 15.0


@asynccontextmanager
async def slow(watched: Watched) -> AsyncIterator[None]:
    """The variants of products cannot be read for 300 ms, again and again."""

    async def hold() -> None:
        while True:
            async with watched.db.tx() as tx:
                await tx.execute(HOLD_VARIANTS)
                await asyncio.sleep(0.3)
            await asyncio.sleep(0.05)

    sold = await goods(watched.db, 1, 1000)
    filled = await carts(watched.db, [[(sold.variants[0], 1)]] * 4)
    async with _busy(hold, *[_viewing(watched, cart) for cart in filled]):
        yield


@asynccontextmanager
async def payments(watched: Watched) -> AsyncIterator[None]:
    """The payment company does not answer."""
    sold = await goods(watched.db, 1, 10_000)
    filled = await carts(watched.db, [[(sold.variants[0], 1)]] * 120)

    async def buy() -> None:
        for cart in filled:
            headers = {"Cart-Token": cart.token, "Idempotency-Key": ids.token()}
            body = {**BUY, "payment": {"provider": "fake", "token": "timeout"}}
            await watched.client.post(f"/carts/{cart.id}/checkout", body, headers)

    async with _busy(buy):
        yield


@asynccontextmanager
async def errors(watched: Watched) -> AsyncIterator[None]:
    """Nobody can read carts; two customers try."""
    filled = await carts(watched.db, [[], []])
    async with watched.db.tx() as tx:
        await tx.execute(HOLD_CARTS)
        async with _busy(*[_viewing(watched, cart) for cart in filled]):
            yield


@asynccontextmanager
async def full(watched: Watched) -> AsyncIterator[None]:
    """Nobody can read carts; very many customers try."""
    filled = await carts(watched.db, [[]] * 60)
    async with watched.db.tx() as tx:
        await tx.execute(HOLD_CARTS)
        async with _busy(*[_viewing(watched, cart) for cart in filled]):
            yield


@asynccontextmanager
async def no_redis(watched: Watched) -> AsyncIterator[None]:
    """Redis takes connections and does nothing."""
    async with hanging(watched.shop):
        yield


def _viewing(watched: Watched, cart: Cart) -> Callable[[], Awaitable[None]]:
    async def view() -> None:
        while True:
            with suppress(OSError, TimeoutError):
                await watched.client.send(f"/carts/{cart.id}", b"", {"Cart-Token": cart.token}, "GET")
            await asyncio.sleep(0.02)

    return view


@asynccontextmanager
async def _busy(*work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Have things done beside the block."""
    tasks = [asyncio.ensure_future(one()) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
