"""Transactions: kept or not, tried again, and refused by constraints."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tfmshop.platform.db import Query, Refused, listening
from tfmshop.platform.errors import DatabaseUnavailable

MAKE = Query("test.make", "CREATE TABLE IF NOT EXISTS public.pair (id int PRIMARY KEY, n int NOT NULL CHECK (n >= 0))")
FILL = Query("test.fill", "INSERT INTO public.pair VALUES (1, 0), (2, 0)")
RAISE = Query("test.raise", "UPDATE public.pair SET n = n + 1 WHERE id = $1")
LOWER = Query("test.lower", "UPDATE public.pair SET n = -1 WHERE id = $1")
END = Query("test.end", "SELECT pg_terminate_backend(pg_backend_pid())")
READ = Query("test.read", "SELECT n FROM public.pair ORDER BY id")


@pytest.fixture
async def pair(wide_db):
    async with wide_db.tx() as tx:
        await tx.execute(MAKE)
        await tx.execute(FILL)
    return wide_db


async def test_deadlocks_are_tried_again_and_counted(pair):
    met = asyncio.Barrier(2)
    first_time = {1: True, 2: True}

    async def both(first: int, second: int) -> None:
        async def work(tx) -> None:
            await tx.execute(RAISE, first)
            if first_time[first]:
                first_time[first] = False
                await met.wait()
            await tx.execute(RAISE, second)

        await pair.transact(work)

    await asyncio.gather(both(1, 2), both(2, 1))
    async with pair.read() as tx:
        assert [row[0] for row in await tx.rows(READ)] == [2, 2]
    assert pair.retried >= 1


async def test_a_failed_block_keeps_nothing(pair):
    async def fails() -> None:
        async with pair.tx() as tx:
            await tx.execute(RAISE, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with pair.tx() as tx:
        await tx.execute(RAISE, 1)
        tx.roll_back()
    async with pair.read() as tx:
        assert [row[0] for row in await tx.rows(READ)] == [0, 0]


async def test_a_constraint_is_named(pair):
    with pytest.raises(Refused) as refused:
        async with pair.tx() as tx:
            await tx.execute(LOWER, 1)
    assert refused.value.constraint == "pair_n_check"
    assert LOWER.statistics.errors == 1


async def test_statements_are_counted_and_heard(pair):
    heard: list[str] = []
    before = RAISE.statistics.calls
    with listening(heard.append):
        async with pair.tx() as tx:
            await tx.execute(RAISE, 1)
            await tx.rows(READ)
    assert heard == ["test.raise", "test.read"]
    assert RAISE.statistics.calls == before + 1
    assert READ.statistics.rows >= 2


async def test_a_savepoint_fails_alone_and_a_lost_connection_is_a_fact(pair):
    async with pair.tx() as tx:
        await tx.execute(RAISE, 1)
        with suppress(Refused):
            async with tx.savepoint():
                await tx.execute(RAISE, 2)
                await tx.execute(LOWER, 1)
    async with pair.read() as tx:
        assert [row[0] for row in await tx.rows(READ)] == [1, 0]

    async def lose() -> None:
        async with pair.tx() as tx, tx.savepoint():
            await tx.value(END)

    with pytest.raises(DatabaseUnavailable):
        await lose()
    await pair.ping()


def test_a_name_is_taken_once():
    with pytest.raises(TypeError, match="exists"):
        Query("test.read", "SELECT 2")
