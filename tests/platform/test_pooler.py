"""The shop behind a real PgBouncer in transaction mode."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.bouncer import FILE, bouncing
from tfmshop.platform.db import NoAnswer, Options, Query, connect
from tfmshop.platform.errors import TookTooLong
from tfmshop.surface.readiness import Place
from tfmshop.surface.readiness.beside import pooler

SLEEP = Query("tests.pooled_sleep", "SELECT pg_sleep($1)")
BACKEND = Query("tests.backend", "SELECT pg_backend_pid(), $1::int AS given")
NOTE = Query("tests.pooled_note", "INSERT INTO platform.done (what, at) VALUES ($1, now())")
NOTED = Query("tests.pooled_noted", "SELECT count(*) FROM platform.done")
SHOW = Query("tests.shown", "SELECT name, setting FROM pg_settings WHERE lower(name) = ANY($1)")


@pytest.fixture
def bouncer(fresh_url):
    """The address of a PgBouncer that has two connections."""
    with bouncing(fresh_url, default_pool_size=2) as url:
        yield url


@pytest.fixture
async def pooled(bouncer):
    """A pool of 12 connections to it."""
    db = await connect(bouncer, Options(minimum=2, maximum=12, acquire_seconds=10, pooled=True))
    yield db
    await db.close()


async def test_many_share_two_connections_and_nobody_gets_what_another_prepared(pooled):
    async def ask(n):
        async with pooled.read() as tx:
            return await tx.row(BACKEND, n)

    rows = await asyncio.gather(*(ask(n) for n in range(500)))
    assert [row["given"] for row in rows] == list(range(500))
    assert len({row[0] for row in rows}) <= 2

    async def note(n):
        async with pooled.tx() as tx:
            await tx.execute(NOTE, f"pooled {n}")
            return await tx.value(NOTED)

    await asyncio.gather(*(note(n) for n in range(100)))
    async with pooled.read() as tx:
        assert await tx.value(NOTED) == 100


async def test_the_bounds_of_the_file_are_those_of_the_settings_and_hold(pooled):
    wanted = {name.lower(): text for name, text in Options().session().items()}
    async with pooled.read() as tx:
        found = {row["name"].lower(): row["setting"] for row in await tx.rows(SHOW, list(wanted))}
    told = re.findall(r"SET (\w+) =", FILE.read_text())
    of_sockets = {name for name in wanted if name.startswith("tcp_")}
    assert set(told) == set(wanted) - of_sockets - {"plan_cache_mode"}, (
        "but for what is the pooler's own, or the default"
    )
    assert {name: found[name] for name in told if name != "application_name"} == {
        name: wanted[name] for name in told if name != "application_name"
    }
    with pytest.raises((TookTooLong, NoAnswer)):
        async with pooled.tx() as tx:
            await tx.value(SLEEP, 3)
    async with pooled.read() as tx:
        assert await tx.value(NOTED) == 0


async def test_the_box_names_what_the_pooler_bounds_otherwise(bouncer, settings):
    settings = settings.replace(DATABASE_POOL_URL=bouncer)
    assert (await pooler(Place(settings, None, [], ""))).state == "pass"
    other = await pooler(Place(settings.replace(DB_QUERY_TIMEOUT=1000, DATABASE_POOL_URL=bouncer), None, [], ""))
    assert (other.state, other.found) == ("fail", "it does not say SET statement_timeout = 1000")
    away = await pooler(Place(settings.replace(DATABASE_POOL_URL="postgresql://127.0.0.1:9/x"), None, [], ""))
    assert (away.state, "DATABASE_POOL_URL" in away.found) == ("fail", True)
