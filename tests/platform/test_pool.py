"""The pool: bounded, patient, clean, and never in its own way."""

from __future__ import annotations

import asyncio
from contextlib import suppress

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


async def test_many_callers_share_two_connections(fresh_url):
    db = await connect(fresh_url, Options(minimum=0, maximum=2, acquire_seconds=30))

    async def ask() -> int:
        async with db.read() as tx:
            return await tx.value(ONE)

    assert await asyncio.gather(*[ask() for _ in range(100)]) == [1] * 100
    assert (db.pool.size, db.pool.in_use, db.pool.waiting) == (2, 0, 0)
    await db.close()


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


async def test_a_server_that_takes_calls_and_says_nothing_keeps_nobody(fresh_url):
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    db = await connect(
        f"postgresql://a@127.0.0.1:{port}/a?sslmode=disable", Options(minimum=0, acquire_seconds=0.1, connect_seconds=2)
    )
    with pytest.raises(Busy):
        await db.ping()
    assert db.pool.in_use == 1
    await db.close()
    server.close()


async def test_a_rush_of_one_kind_leaves_connections_to_the_others_and_waits_in_turn(two: Database):
    rush = two.share("rush", maximum=1, patience_seconds=5)
    release = asyncio.Event()
    while not two.pool.size:  # a machine at work opens it late
        with suppress(Busy):
            await two.ping()
    late = two.pool.statistics.timed_out

    async def hold(db: Database) -> None:
        async with db.read():
            await release.wait()

    rushing = [asyncio.create_task(hold(two.share("rush", maximum=1, patience_seconds=5))) for _ in range(50)]
    await asyncio.sleep(0.4)
    assert (two.pool.in_use, two.pool.statistics.timed_out) == (1, late)
    await two.ping()
    release.set()
    await asyncio.gather(*rushing)
    assert two.pool.in_use == 0
    async with rush.read() as tx:
        assert await tx.value(ONE) == 1


async def test_a_share_is_patient_only_so_long_and_a_full_pool_gives_the_turn_back(two: Database):
    share = two.share("rush", maximum=1, patience_seconds=0.1)

    async def is_busy() -> bool:
        try:
            async with share.read():
                return False
        except Busy:
            return True

    async def busy_while_held(*databases: Database) -> bool:
        release = asyncio.Event()

        async def hold(db: Database) -> None:
            async with db.read():
                await release.wait()

        holders = [asyncio.create_task(hold(db)) for db in databases]
        await asyncio.sleep(0.05)
        found = await is_busy()
        release.set()
        await asyncio.gather(*holders)
        return found

    assert await busy_while_held(share)
    assert two.pool.statistics.timed_out == 0
    assert await busy_while_held(two, two)
    assert two.pool.statistics.timed_out == 1
    assert not await is_busy()


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
