"""PostgreSQL goes away and comes back; ours stays up all the while."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from tests.conftest import open_client
from tests.making import a_product
from tfmshop.commerce.payments import FakeProvider
from tfmshop.platform import checks
from tfmshop.platform.db import Options, Query, connect, migrate
from tfmshop.platform.embedded import Postgres
from tfmshop.platform.jobs import HANDLERS, enqueue, job
from tfmshop.platform.jobs.queue import LANES
from tfmshop.platform.jobs.worker import Worker

A_WHILE = Query("test.a_while", "SELECT 1 FROM pg_sleep(0.02)")
QUEUED = Query("test.queued", "SELECT count(*) > 0 FROM jobs.pgqueuer")


@pytest.fixture
def own_postgres():
    """A PostgreSQL of this test alone, which it may kill."""
    home = Path(tempfile.mkdtemp(prefix="tfmshop-heal-"))
    home.chmod(0o755)
    server = Postgres(home)
    yield server, server.start()
    server.stop()
    shutil.rmtree(home)


def kill(server: Postgres) -> None:
    """SIGKILL the postmaster, and wait until its children noticed."""
    os.kill(int((server._data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    server._process.wait()


async def test_the_shop_heals_after_postgresql_was_killed(own_postgres, settings):
    server, url = own_postgres
    await migrate.upgrade(url)
    db = await connect(url, Options(minimum=2, maximum=4))
    async with open_client(settings, db, FakeProvider()) as shop:
        async with db.tx() as tx:
            lamp = await a_product(tx)
        cart = await shop.cart_with((lamp, 1))
        assert (await shop.get("/health/ready")).json()["status"] == "ok"
        kill(server)
        await asyncio.sleep(checks.HOLDS_SECONDS)
        down = [await shop.get("products"), await shop.buy(cart, key="k"), await shop.get("/health/ready")]
        assert [answer.status_code for answer in down] == [503, 503, 503]
        assert down[0].json()["code"] == "database_unavailable"
        assert down[0].headers["retry-after"] == "1"
        assert (await shop.get("/health/live")).status_code == 200
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        assert (await shop.get("/health/ready")).status_code == 200
        assert (await shop.buy(cart, key="k")).status_code == 201
    await db.close()


async def test_the_job_runner_heals_and_loses_nothing(own_postgres):
    server, url = own_postgres
    done: list[bytes] = []
    failures = [True]

    @job("test.note")
    async def note(_, payload: bytes) -> None:
        if failures and payload == b'"twice"':
            failures.clear()
            raise OSError("not now")
        done.append(payload)

    await migrate.upgrade(url)
    db = await connect(url, Options(minimum=1, maximum=4))
    worker = Worker(url, db)
    running = asyncio.create_task(worker.run())
    try:
        async with db.tx() as tx:
            await enqueue(tx, "test.note", "first")
            await enqueue(tx, "test.note", "twice")
        async with db.tx() as tx:
            await enqueue(tx, "test.note", "never")
            tx.roll_back()
        await until(lambda: sorted(done) == [b'"first"', b'"twice"'])
        kill(server)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
        async with db.tx() as tx:
            await enqueue(tx, "test.note", "after")
        await until(lambda: b'"after"' in done)
        assert b'"never"' not in done
    finally:
        worker.stop()
        await asyncio.wait_for(running, 10)
        HANDLERS.pop("test.note")
        await db.close()


async def test_jobs_wait_for_those_of_their_own_lane_alone(own_postgres, monkeypatch):
    _, url = own_postgres
    begun: list[bytes] = []
    done: list[bytes] = []

    async def work(db, payload: bytes) -> None:
        begun.append(payload)
        async with db.tx() as tx:
            await tx.value(A_WHILE)
        done.append(payload)

    for name in ("test.letter", "test.money"):
        monkeypatch.setitem(HANDLERS, name, work)
    monkeypatch.setitem(LANES, "test.money", "money")
    await migrate.upgrade(url)
    db = await connect(url, Options(minimum=1, maximum=8))
    async with db.tx() as tx:
        for _ in range(600):
            await enqueue(tx, "test.letter", "letter")
    runner = Worker(url, db, {"test.letter", "test.money"})
    running = asyncio.create_task(runner.run())
    try:
        await until(lambda: len(done) > 50)
        async with db.tx() as tx:
            for _ in range(200):
                await enqueue(tx, "test.money", "money")
        await until(lambda: done.count(b'"money"') == 200)
        assert len(done) < 600, "the letters before them are not waited for"
        await until(lambda: len(done) >= 800, seconds=40)
    finally:
        runner.stop()
        await asyncio.wait_for(running, 10)
        await db.close()
    assert len(begun) == 800, "a long queue makes no job fail and come again"


async def test_a_lane_that_ends_by_a_mistake_lets_the_others_finish(own_postgres, monkeypatch):
    _, url = own_postgres
    begun, done = asyncio.Event(), []

    async def work(_, payload: bytes) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        done.append(payload)

    async def mistaken() -> None:
        await begun.wait()
        raise AssertionError("a mistake")

    monkeypatch.setitem(HANDLERS, "test.money", work)
    monkeypatch.setitem(LANES, "test.money", "money")
    await migrate.upgrade(url)
    db = await connect(url, Options(minimum=1, maximum=8))
    runner = Worker(url, db, {"test.money"})
    monkeypatch.setattr(runner._lanes[0], "run", mistaken)
    async with db.tx() as tx:
        await enqueue(tx, "test.money", "money")
    with pytest.raises(AssertionError, match="a mistake"):
        await asyncio.wait_for(runner.run(), 20)
    await db.close()
    assert done == [b'"money"']


async def test_the_job_runner_heals_when_its_client_gave_the_connection_up(own_postgres):
    """asyncpg drops a connection that got a fatal message between two queries, and tells no listener."""
    _, url = own_postgres
    done: list[bytes] = []

    @job("test.note")
    async def note(_, payload: bytes) -> None:
        done.append(payload)

    await migrate.upgrade(url)
    db = await connect(url, Options(minimum=1, maximum=4))
    worker = Worker(url, db)
    running = asyncio.create_task(worker.run())
    try:
        async with db.tx() as tx:
            await enqueue(tx, "test.note", "before")
        await until(lambda: b'"before"' in done)
        await _all_written_down(db)
        worker._lanes[0]._runner.connection._connection._protocol.abort()
        async with db.tx() as tx:
            await enqueue(tx, "test.note", "after")
        await until(lambda: b'"after"' in done, seconds=10)
    finally:
        worker.stop()
        await asyncio.wait_for(running, 10)
        HANDLERS.pop("test.note")
        await db.close()


async def _all_written_down(db) -> None:
    """Until no job waits or is at work, and what was done is written down."""
    for _ in range(400):
        async with db.read() as tx:
            if not (await tx.row(QUEUED))[0]:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("waited in vain")


async def until(holds, seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.05)
