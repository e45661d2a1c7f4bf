"""Reads on real streaming replicas: nobody reads less than what was acknowledged before."""

from __future__ import annotations

import asyncio
import signal
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import open_client, platform_of
from tests.replica import another_replica, primary_and_replica
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Options, connect, replicas, unopened
from tfmshop.platform.db.query import QUERIES, Query
from tfmshop.platform.db.replicas import MOST_BEHIND, READS
from tfmshop.surface.readiness import Place
from tfmshop.surface.readiness.beside import all_replicas

NOTE = Query("tests.note", "INSERT INTO platform.done (what, at) VALUES ($1, now())")
NOTED = Query("tests.noted", "SELECT count(*) FROM platform.done WHERE what = $1")
WHERE = Query("tests.where", "SELECT pg_is_in_recovery()")
BOUNDS = Options(minimum=0, maximum=4, statement_seconds=0.5, acquire_seconds=5)


@pytest.fixture(scope="module")
def servers():
    with primary_and_replica() as found:
        yield found


@pytest.fixture
async def db(servers):
    """The primary, with one replica that is used."""
    primary, replica = servers
    db = await connect(primary.url, Options(minimum=1, maximum=4, acquire_seconds=5))
    db.replicas = replicas.of(
        unopened(primary.url, BOUNDS), [replica.url], lambda url, _: unopened(url, BOUNDS), keeps=lambda: db.keeps
    )
    db.keeps = True
    await db.replicas.start()
    async with db.tx() as tx:
        await tx.execute(NOTE, uuid4().hex)
    await until(lambda: on_replica(db))
    yield db
    await db.replicas.close()
    await db.close()


async def on_replica(db, **how) -> bool:
    return await db.look_up(lambda tx: tx.value(WHERE), **how)


async def change(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def until(holds) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - servers far away
            await asyncio.sleep(0.02)


async def test_every_read_knows_what_was_written_before_whoever_wrote_it(db, servers):
    went = []
    for n in range(200):
        await change(servers[0].url, f"INSERT INTO platform.done (what, at) VALUES ('by another {n}', now())")
        found = await db.look_up(lambda tx, n=n: _both(tx, f"by another {n}"))
        assert found[0] == 1
        went.append(found[1])
    assert sum(went) > 100


async def _both(tx, what):
    return await tx.value(NOTED, what), await tx.value(WHERE)


async def test_a_replica_that_is_behind_is_not_read_and_is_taken_back(db, servers):
    await change(servers[1].url, "SELECT pg_wal_replay_pause()")
    async with db.tx() as tx:
        await tx.execute(NOTE, "while paused")
    assert await db.look_up(lambda tx: tx.value(NOTED, "while paused")) == 1
    assert not await on_replica(db)

    async def is_left_out():
        return db.replicas.all[0].wrong == "it is behind"

    await until(is_left_out)
    await change(servers[1].url, "SELECT pg_wal_replay_resume()")
    await until(lambda: on_replica(db))
    assert await db.look_up(lambda tx: tx.value(NOTED, "while paused")) == 1


async def test_a_dead_replica_costs_nobody_an_answer_and_is_taken_back(db, servers):
    assert await on_replica(db)
    servers[1].kill()
    assert [await on_replica(db) for _ in range(20)] == [False] * 20
    servers[1].start()
    await until(lambda: on_replica(db))


async def test_a_replica_that_hangs_in_the_middle_of_a_read_costs_half_a_second_once(db, servers):
    assert await on_replica(db)
    servers[1].signal(signal.SIGSTOP)
    try:
        assert [await on_replica(db) for _ in range(20)] == [False] * 20
        assert db.replicas.all[0].wrong
    finally:
        servers[1].signal(signal.SIGCONT)
    await until(lambda: on_replica(db))


@pytest.mark.parametrize("way", ["execute", "value"])
async def test_what_has_something_to_write_is_done_on_the_primary(db, way):
    async def read_and_write(tx):
        where = await tx.value(WHERE)
        await getattr(tx, way)(NOTE, f"written by {way} {where}")
        return where

    assert await on_replica(db)
    assert await db.look_up(read_and_write) is False
    assert not db.replicas.all[0].wrong


async def test_a_replica_that_was_put_back_is_not_believed(db, servers):
    """It is started again on older data, while the process lives on: what it had once says nothing."""
    await change(servers[1].url, "ALTER SYSTEM SET recovery_min_apply_delay = '5s'")
    servers[1].stop(keep=True)
    older = servers[1].copied()
    servers[1].start()
    await change(servers[1].url, "ALTER SYSTEM RESET recovery_min_apply_delay")
    await change(servers[1].url, "SELECT pg_reload_conf()")
    async with db.tx() as tx:
        await tx.execute(NOTE, "newer")
    await until(lambda: on_replica(db))
    servers[1].stop(keep=True)
    servers[1].put(older)
    servers[1].start()
    began = monotonic()
    while monotonic() - began < MOST_BEHIND:
        assert await db.look_up(lambda tx: tx.value(NOTED, "newer")) == 1
        await asyncio.sleep(0.01)
    await change(servers[1].url, "ALTER SYSTEM RESET recovery_min_apply_delay")
    await change(servers[1].url, "SELECT pg_reload_conf()")
    await until(lambda: on_replica(db))


async def test_a_steady_lag_is_waited_for_and_leaves_no_replica_out(db, servers):
    await change(servers[1].url, "ALTER SYSTEM SET recovery_min_apply_delay = '20ms'")
    await change(servers[1].url, "SELECT pg_reload_conf()")

    async def write():
        connection = await asyncpg.connect(servers[0].url)
        try:
            while True:
                await connection.execute("INSERT INTO platform.done (what, at) VALUES ($1, now())", uuid4().hex)
                await asyncio.sleep(0.002)
        finally:
            await connection.close()

    writing, went, began = asyncio.create_task(write()), 0, monotonic()
    try:
        while monotonic() - began < MOST_BEHIND + 2:
            mine = uuid4().hex
            async with db.tx() as tx:
                await tx.execute(NOTE, mine)
            found, where = await db.look_up(lambda tx, mine=mine: _both(tx, mine))
            assert found == 1
            went += where
        assert went > 20
        assert not db.replicas.all[0].wrong
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await change(servers[1].url, "ALTER SYSTEM RESET recovery_min_apply_delay")
        await change(servers[1].url, "SELECT pg_reload_conf()")


async def test_a_server_in_recovery_is_no_primary(db, servers):
    found = replicas.of(
        unopened(servers[1].url, BOUNDS), [servers[1].url], lambda url, _: unopened(url, BOUNDS), keeps=lambda: False
    )
    found.all[0].wrong = ""
    for _ in range(3):
        assert await found.read(lambda tx: tx.value(WHERE), may_be_old=True) is None, "it is there, and not the primary"
    await found.close()


async def test_reads_at_the_same_moment_share_the_question_how_far_the_primary_is(db):
    before = QUERIES["db.written"].statistics.calls
    assert sum(await asyncio.gather(*(on_replica(db) for _ in range(100)))) > 90
    assert QUERIES["db.written"].statistics.calls - before <= 3


async def test_while_the_primary_is_away_what_may_be_old_is_read_on_replicas(db, servers):
    await on_replica(db)
    servers[0].kill()
    try:
        for how in ({}, {}, {"may_be_old": True}):
            with pytest.raises(Exception, match="cannot reach"):
                await on_replica(db, **how)
        db.keeps = False
        with pytest.raises(Exception, match="cannot reach"):
            await on_replica(db)
        assert await on_replica(db, may_be_old=True)
    finally:
        servers[0].start()
    db.keeps = True
    await until(lambda: on_replica(db))


async def test_a_server_that_is_no_replica_of_ours_is_not_read(db, servers, fresh_url):
    found = replicas.of(
        unopened(servers[0].url, BOUNDS), [servers[0].url, fresh_url], lambda url, _: unopened(url, BOUNDS),
        keeps=lambda: True,
    )  # fmt: skip
    await found.start()
    assert all("no replica" in one.wrong for one in found.all)
    assert await found.read(lambda tx: tx.value(WHERE), may_be_old=True) is None
    await found.close()


async def test_health_and_the_box_name_a_replica_that_is_away(db, servers, settings, fake):
    settings = settings.replace(DATABASE_URL=servers[0].url, DATABASE_REPLICA_URLS=servers[1].url)
    place = Place(settings, platform_of(settings, db), [], "")

    async def found():
        async with open_client(settings, db, fake) as shop:
            told = (await shop.get("/health")).json()
        return (await all_replicas(place)).state, told["status"], told["dependencies"]["replica replica 1"]["status"]

    assert await found() == ("pass", "ok", "ok")
    servers[1].kill()

    async def is_left_out():
        return db.replicas.all[0].wrong

    await until(is_left_out)
    try:
        assert await found() == ("warn", "degraded", "down")
    finally:
        servers[1].start()
    await until(lambda: on_replica(db))


async def test_public_pages_are_read_on_the_replica_and_words_that_find_nothing_are_noted(db, servers, settings, fake):
    async with open_client(settings, db, fake) as shop:
        for path in ("products", "categories", "categories/tree", "products/featured", "search/suggest?q=la"):

            async def is_read_there(path=path):
                before = READS.of("replica").value
                assert (await shop.get(f"/api/v1/{path}")).status_code == 200
                return READS.of("replica").value == before + 1

            await until(is_read_there)
        assert (await shop.get("/api/v1/search?q=nothinghasthis")).status_code == 200
        async with db.read() as tx:
            assert await tx.value(Query("tests.missed", "SELECT count(*) FROM search.missed")) == 1


async def test_a_promoted_replica_is_read_no_more(db, servers):
    assert await on_replica(db)
    await change(servers[1].url, "SELECT pg_promote()")
    await change(servers[1].url, "INSERT INTO platform.done (what, at) VALUES ('of another timeline', now())")
    for n in range(50):
        async with db.tx() as tx:
            await tx.execute(NOTE, f"after {n}")
        assert await db.look_up(lambda tx, n=n: tx.value(NOTED, f"after {n}")) == 1
    assert await db.look_up(lambda tx: tx.value(NOTED, "of another timeline")) == 0
    await until(lambda: _left_out(db))
    assert "no replica" in db.replicas.all[0].wrong

    await _a_replica_on_the_old_timeline_is_not_read(*servers)


async def _a_replica_on_the_old_timeline_is_not_read(old_primary, promoted):
    """It went on further than the promoted one, and has nothing of what that one got since."""
    with another_replica(old_primary) as third:
        await change(old_primary.url, "SELECT pg_switch_wal()")
        found = replicas.of(
            unopened(promoted.url, BOUNDS), [third.url], lambda url, _: unopened(url, BOUNDS), keeps=lambda: True
        )
        await found.start()
        assert "timeline 1, the primary on 2" in found.all[0].wrong
        assert await found.read(lambda tx: tx.value(WHERE), may_be_old=True) is None
        await found.close()


async def _left_out(db):
    return db.replicas.all[0].wrong
