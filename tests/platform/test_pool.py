"""The pool: bounded, patient, clean, and never in its own way."""

from __future__ import annotations

import asyncio

import pytest

from tfmshop.platform.db import Database, Options, Query, connect
from tfmshop.platform.errors import Busy, TookTooLong

ONE = Query("test.one", "SELECT 1")
SLEEP = Query("test.sleep", "SELECT pg_sleep($1)")
PID = Query("test.pid", "SELECT pg_backend_pid()")


@pytest.fixture
async def two(fresh_url):
    db = await connect(fresh_url, Options(minimum=0, maximum=2, acquire_seconds=0.2, statement_seconds=0.5))
    yield db
    await db.close()


async def test_many_callers_share_two_connections(two: Database):
    async def ask() -> int:
        async with two.read() as tx:
            return await tx.value(ONE)

    assert await asyncio.gather(*[ask() for _ in range(100)]) == [1] * 100
    assert (two.pool.size, two.pool.in_use, two.pool.waiting) == (2, 0, 0)


async def test_who_waits_too_long_is_told_so(two: Database):
    release = asyncio.Event()

    async def hold() -> None:
        async with two.read():
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(Busy):
        await two.ping()
    assert two.pool.statistics.timed_out == 1
    release.set()
    await asyncio.gather(*holders)
    assert two.pool.in_use == 0


async def test_a_second_connection_while_holding_one_is_refused(two: Database):
    async with two.tx():
        with pytest.raises(RuntimeError, match="holds a connection already"):
            async with two.read():
                pass


async def test_slow_statements_end_and_the_connection_stays(two: Database):
    async with two.read() as tx:
        before = await tx.value(PID)
    with pytest.raises(TookTooLong):
        async with two.read() as tx:
            await tx.value(SLEEP, 5.0)
    async with two.read() as tx:
        assert await tx.value(PID) == before


async def test_a_cancelled_request_leaves_no_dirty_connection(two: Database):
    async def slow() -> None:
        async with two.tx() as tx:
            await tx.value(SLEEP, 0.4)

    tasks = [asyncio.create_task(slow()) for _ in range(4)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert two.pool.in_use == 0
    async with two.tx() as tx:
        assert await tx.value(ONE) == 1


async def test_a_waiter_that_is_cancelled_loses_nothing(two: Database):
    release = asyncio.Event()

    async def hold() -> None:
        async with two.read():
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiter = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    waiter.cancel()
    release.set()
    await asyncio.gather(*holders, waiter, return_exceptions=True)
    assert (two.pool.in_use, two.pool.waiting) == (0, 0)
    async with two.read() as tx:
        assert await tx.value(ONE) == 1
