"""The cache: one maker, nothing that a change undid, whichever process is slow, with Redis and without."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tracemalloc
from datetime import timedelta
from uuid import uuid4

import pytest
from redis.exceptions import NoPermissionError

from tests.servers import REDIS
from tfmshop.platform.cache import Cache, Kind, Made, Memory, Redis, Shared, Tally
from tfmshop.platform.cache import shared as shared_levels
from tfmshop.platform.cache.cache import _Flight
from tfmshop.platform.cache.entry import Entry
from tfmshop.platform.cache.redis import FAILURES, Away
from tfmshop.platform.embedded.redis import Redis as Server
from tfmshop.platform.errors import Busy, DatabaseUnavailable

TEXT = Kind("text", timedelta(seconds=60), str.encode, bytes.decode, len, timedelta(seconds=60))
BRIEF = Kind("brief", timedelta(milliseconds=50), str.encode, bytes.decode, len, timedelta(seconds=60))


class Maker:
    """Makes values, and counts them; the next waits for `let` when that is set."""

    def __init__(self, value: str = "v", tags: frozenset[str] = frozenset({"a"})) -> None:
        self.value, self.tags = value, tags
        self.made = 0
        self.let: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.fails: Exception | None = None
        self.fresh: timedelta | None = None

    async def __call__(self) -> Made[str]:
        self.made += 1
        value = f"{self.value}{self.made}"
        self.begun.set()
        if self.let is not None:
            await self.let.wait()
        if self.fails is not None:
            raise self.fails
        return Made(value, self.tags, self.fresh)


@pytest.fixture
def cache() -> Cache:
    """Memory alone, which hears of every change."""
    cache = Cache(Memory(1 << 20))
    cache.trust()
    return cache


@pytest.fixture
async def processes():
    """Two processes over one Redis."""
    release, opened = uuid4().hex, []

    async def two():
        for _ in range(2):
            redis = Redis(os.environ[REDIS], 5.0)
            cache = Cache(Memory(1 << 20), Shared(redis, release))
            cache.trust()
            await settled(cache)
            opened.append((cache, redis))
        return [cache for cache, _ in opened]

    yield await two()
    for cache, redis in opened:
        await cache.close()
        await redis.close()


async def settled(cache: Cache) -> None:
    """Until what runs in the background is done."""
    while cache._tasks:
        await asyncio.gather(*cache._tasks)


# Memory.


def entry(key: str, size: int = 100, tags: frozenset[str] = frozenset()) -> Entry:
    return Entry(TEXT, key, Made("x" * size, tags), Tally(), 0.0)


def test_memory_is_bounded_in_bytes_and_keeps_what_is_asked_for():
    memory = Memory(200_000)
    popular = [f"popular {n}" for n in range(20)]
    for key in popular:
        memory.put(entry(key))
    for n in range(20_000):
        for key in random.Random(n).sample(popular, 2):
            if memory.get(key) is None:
                memory.put(entry(key))
        memory.put(entry(f"once {n}", tags=frozenset({f"t{n}", "every"})))
        assert memory.bytes <= 200_000
    assert all(memory.get(key) is not None for key in popular)
    assert memory.bytes == sum(one.size for one in memory)
    assert len(memory.tagged("every")) == len([one for one in memory if one.tags])
    assert not [tag for tag in memory._tagged if not memory._tagged[tag]]
    assert memory.evicted > 15_000
    assert memory._gone == sum(one.gone for queue in (memory._small, memory._main) for one in queue)
    assert len(memory._ghosts) <= len(memory) + 101
    assert memory.clear() > 0
    assert (memory.bytes, len(memory), memory._tagged) == (0, 0, {})


def test_what_is_replaced_or_too_large_leaves_nothing_behind():
    memory = Memory(100_000)
    memory.put(entry("k", tags=frozenset({"a", "b"})))
    memory.put(entry("k", size=200, tags=frozenset({"b", "c"})))
    assert [[one.key for one in memory.tagged(tag)] for tag in "abc"] == [[], ["k"], ["k"]]
    assert memory.bytes == memory.get("k").size
    for _ in range(5000):
        memory.put(entry("k", size=200, tags=frozenset({"b"})))
        memory.put(entry("dropped"))
        memory.drop("dropped")
    assert len(memory._small) + len(memory._main) < 300, "what is gone is let go"
    memory.put(entry("k", size=20_000))
    assert memory.get("k") is None
    assert (memory.bytes, memory._tagged) == (0, {})
    assert not memory.drop("k")


def test_the_sum_of_bytes_is_what_memory_takes():
    tracemalloc.start()
    memory = Memory(1 << 30)
    for n in range(5000):
        memory.put(
            entry(f"/api/v1/products/a-product-{n}", 3000, frozenset({f"product:{n}", f"product:{n + 1}", "list"}))
        )
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 * taken < memory.bytes < 1.5 * taken


# One process.


async def test_many_who_ask_at_once_wait_for_one_maker(cache):
    make = Maker()
    make.let = asyncio.Event()
    asked = [asyncio.create_task(cache.get(TEXT, "k", make)) for _ in range(50)]
    await make.begun.wait()
    make.let.set()
    assert set(await asyncio.gather(*asked)) == {"v1"}
    assert await cache.get(TEXT, "k", make) == "v1"
    tally = cache.tally(TEXT)
    assert (make.made, tally.misses, tally.waits, tally.hits, tally.rebuilds) == (1, 50, 49, 1, 1)


async def test_an_error_reaches_all_and_is_not_kept(cache):
    make = Maker()
    make.fails = ValueError("no")
    answers = await asyncio.gather(*[cache.get(TEXT, "k", make) for _ in range(3)], return_exceptions=True)
    assert [type(one) for one in answers] == [ValueError] * 3
    make.fails = None
    assert await cache.get(TEXT, "k", make) == "v2"


@pytest.mark.parametrize("stale", ["a", "*", "~k"])
async def test_what_became_stale_while_it_was_made_is_not_kept(cache, stale):
    make = Maker()
    make.let = asyncio.Event()
    first = asyncio.create_task(cache.get(TEXT, "k", make))
    await make.begun.wait()
    cache.stale([stale])
    after = asyncio.create_task(cache.get(TEXT, "k", make))
    await asyncio.sleep(0)
    make.let.set()
    assert await first == "v1"
    assert await after == "v2", "who asks after a change gets nothing from before it"
    assert await cache.get(TEXT, "k", make) == "v2"
    cache.stale(["other"])
    assert await cache.get(TEXT, "k", make) == "v2"
    cache.stale([stale])
    assert await cache.get(TEXT, "k", make) == "v3"


async def test_of_two_changes_during_one_making_neither_is_missed(cache):
    make = Maker()
    make.let = asyncio.Event()
    first = asyncio.create_task(cache.get(TEXT, "k", make))
    await make.begun.wait()
    cache.stale(["a"])
    between = asyncio.create_task(cache.get(TEXT, "k", make))
    await asyncio.sleep(0)
    cache.stale(["a"])
    make.let.set()
    assert (await first, await between) == ("v1", "v2")


async def test_a_making_that_just_ended_keeps_nobody_turning(cache):
    """Who comes between the end of a making and its being noted, after a change, makes the value anew."""
    make = Maker()

    async def made() -> Made[str]:
        return Made("old", frozenset({"a"}))

    ended = asyncio.create_task(made())
    await ended
    cache.stale(["a"])
    cache._flights["k"] = _Flight(ended, 0)
    assert await cache.get(TEXT, "k", make) == "v1"


async def test_old_values_are_handed_out_at_once_while_one_is_made(cache):
    make = Maker()
    assert await cache.get(BRIEF, "k", make) == "v1"
    await asyncio.sleep(0.06)
    make.let = asyncio.Event()
    async with asyncio.timeout(1):
        assert [await cache.get(BRIEF, "k", make) for _ in range(100)] == ["v1"] * 100
    make.let.set()
    await settled(cache)
    assert (make.made, cache.tally(BRIEF).stale) == (2, 1)
    assert await cache.get(BRIEF, "k", make) == "v2"


async def test_an_old_value_outlives_a_failure_to_make_it_anew(cache):
    make = Maker()
    await cache.get(BRIEF, "k", make)
    await asyncio.sleep(0.06)
    make.fails = DatabaseUnavailable()
    assert await cache.get(BRIEF, "k", make) == "v1"
    await settled(cache)
    assert await cache.get(BRIEF, "k", make) == "v1"


async def test_without_news_only_a_shop_without_database_gets_old_values(cache):
    make = Maker()
    assert await cache.get(TEXT, "k", make) == "v1"
    cache.doubt()
    assert await cache.get(TEXT, "k", make) == "v2", "the unknown is not handed out"
    make.fails = DatabaseUnavailable()
    assert await cache.get(TEXT, "k", make) == "v1"
    with pytest.raises(DatabaseUnavailable):
        await cache.get(TEXT, "another", make)
    make.fails = Busy()
    with pytest.raises(Busy):
        await cache.get(TEXT, "k", make)
    make.fails = None
    cache.trust()
    assert await cache.get(TEXT, "k", make) == "v6"
    assert await cache.get(TEXT, "k", make) == "v6"
    assert cache.tally(TEXT).saved == 1


async def test_what_was_made_before_news_came_back_is_not_kept(cache):
    make = Maker()
    make.let = asyncio.Event()
    cache.doubt()
    asked = asyncio.create_task(cache.get(TEXT, "k", make))
    await make.begun.wait()
    cache.trust()
    make.let.set()
    assert await asked == "v1"
    assert await cache.get(TEXT, "k", make) == "v2"


async def test_what_may_not_be_kept_is_made_each_time(cache):
    make = Maker()
    make.fresh = timedelta(0)
    assert [await cache.get(TEXT, "k", make) for _ in range(3)] == ["v1", "v2", "v3"]


async def test_the_last_who_gives_up_ends_the_making(cache):
    make = Maker()
    make.let = asyncio.Event()
    one, two = (asyncio.create_task(cache.get(TEXT, "k", make)) for _ in range(2))
    await make.begun.wait()
    one.cancel()
    await asyncio.sleep(0)
    make.begun.clear()
    three = asyncio.create_task(cache.get(TEXT, "k", make))
    await asyncio.sleep(0)
    assert make.made == 1
    two.cancel()
    three.cancel()
    await asyncio.sleep(0)
    after = asyncio.create_task(cache.get(TEXT, "k", make))
    await make.begun.wait()
    make.let.set()
    assert await after == "v2"


async def test_a_value_is_made_anew_before_its_time_by_few(cache):
    made = entry("k")
    made.seconds = 0.3
    made.kind = TEXT
    draws = {0.29: 0, 0.6: 0, 0.95: 0}
    for left in draws:
        for _ in range(2000):
            draws[left] += cache.due(made, made.fresh_until - left)
    assert 500 < draws[0.29] < 1000, "about 1 in e where as much time is left as it takes"
    assert 150 < draws[0.6] < 400
    assert draws[0.95] == 0
    made.refreshing = True
    assert not cache.due(made, made.fresh_until)


# Two processes over one Redis.


async def test_what_one_process_made_the_other_has(processes):
    one, two = processes
    make = Maker("long " * 1000)
    value = await one.get(TEXT, "k", make)
    await settled(one)
    assert await two.get(TEXT, "k", make) == value
    assert (make.made, two.tally(TEXT).shared) == (1, 1)
    assert two.memory.get("k").tags == {"a"}
    assert two.memory.get("k").fresh_until <= one.memory.get("k").fresh_until + 7


async def test_processes_that_ask_at_once_have_one_maker(processes):
    one, two = processes
    make = Maker()
    make.let = asyncio.Event()
    asked = [asyncio.create_task(cache.get(TEXT, "k", make)) for cache in (one, two) for _ in range(10)]
    await make.begun.wait()
    await asyncio.sleep(0.05)
    make.let.set()
    assert set(await asyncio.gather(*asked)) == {"v1"}
    assert make.made == 1


async def test_a_maker_that_fails_leaves_the_turn_to_the_next(processes):
    one, two = processes
    make = Maker()
    make.fails = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await one.get(TEXT, "k", make)
    await settled(one)
    make.fails = None
    async with asyncio.timeout(0.5):
        assert await two.get(TEXT, "k", make) == "v2"


async def test_a_slow_process_cannot_share_what_was_read_before_a_change(processes):
    """The first reads, then a change is committed, of which only the second has heard; then the first shares."""
    one, two = processes
    make = Maker()
    make.let = asyncio.Event()
    asked = asyncio.create_task(one.get(TEXT, "k", make))
    await make.begun.wait()
    two.stale(["a"])
    await settled(two)
    make.let.set()
    assert await asked == "v1"
    await settled(one)
    assert await two.get(TEXT, "k", make) == "v2"


async def test_what_is_shared_already_is_not_believed_after_a_change(processes):
    one, two = processes
    make = Maker()
    await one.get(TEXT, "k", make)
    await settled(one)
    two.stale(["a"])
    assert await two.get(TEXT, "k", make) == "v2", "not even before Redis was told"
    await settled(two)
    two.stale(["*"])
    await settled(two)
    assert await two.get(TEXT, "k", make) == "v3"
    one.stale(["a"])
    await settled(one)
    await settled(two)
    assert await one.get(TEXT, "k", make) == "v4"


async def test_what_two_processes_hear_of_undoes_nothing_that_was_made_since(processes):
    one, two = processes
    make, news = Maker(), ["a", "#4711"]
    await one.get(TEXT, "k", make)
    await settled(one)
    one.stale(news)
    assert await one.get(TEXT, "k", make) == "v2"
    await settled(one)
    two.stale(news)
    assert await two.get(TEXT, "k", make) == "v2", "shared, though the other process heard of the change later"
    two.stale(["a", "#4712"])
    assert await two.get(TEXT, "k", make) == "v3"


async def test_who_asks_while_redis_is_told_waits_for_that_and_shares(processes):
    one, two = processes
    make = Maker()
    one.stale(["b"])
    assert one._shared._tellings
    assert await one.get(TEXT, "k", make) == "v1"
    await settled(one)
    assert await two.get(TEXT, "k", make) == "v1"


async def test_a_miss_during_a_run_of_changes_shares(processes, monkeypatch):
    monkeypatch.setattr(shared_levels, "_WAIT_FOR_TELLING", 10)
    one, two = processes
    make = Maker()
    making = asyncio.create_task(one.get(TEXT, "k", make))
    for n in range(20):
        one.stale([f"other {n}"])
        await asyncio.sleep(0)
    assert await making == "v1"
    await settled(one)
    assert await two.get(TEXT, "k", make) == "v1"


async def test_a_telling_that_failed_makes_all_stale_once_however_many_look(processes, monkeypatch):
    one, _ = processes
    shared = one._shared
    monkeypatch.setattr(shared_levels, "TELL_AGAIN", ())
    told, away, real = [], True, shared._redis.run

    async def run(script, keys, args):
        if script is shared._stale:
            if away:
                raise Away
            told.append(args[2:])
        return await real(script, keys, args)

    monkeypatch.setattr(shared._redis, "run", run)
    for times in (1, 2):
        away = True
        one.stale(["a"])
        await settled(one)
        away = False
        await asyncio.gather(*[one.get(TEXT, f"{times} {n}", Maker()) for n in range(5)])
        await settled(one)
        assert told == [["*"]] * times


async def test_a_turn_whose_answer_was_lost_is_given_back(processes, monkeypatch):
    one, two = processes
    make, real = Maker(), one._shared._redis.run

    async def lost(script, keys, args):
        answer = await real(script, keys, args)
        if script is one._shared._look:
            raise Away
        return answer

    monkeypatch.setattr(one._shared._redis, "run", lost)
    assert await one.get(TEXT, "k", make) == "v1"
    await settled(one)
    assert await asyncio.wait_for(two.get(TEXT, "k", make), 1) == "v2"


async def test_a_connection_that_is_made_again_to_the_same_redis_changes_nothing(processes):
    one, _ = processes
    make, redis = Maker(), one._shared._redis
    await one.get(TEXT, "k", make)
    await settled(one)
    await redis._client.connection_pool.disconnect()
    one.memory.clear()
    assert await one.get(TEXT, "k", make) == "v1"
    assert redis.breaks == 0


async def test_more_stale_tags_than_redis_remembers_are_everything(processes, monkeypatch):
    monkeypatch.setattr("tfmshop.platform.cache.shared.MOST_TAGS", 5)
    one, two = processes
    make = Maker()
    await one.get(TEXT, "k", make)
    await settled(one)
    for n in range(10):
        one.stale([f"other {n}"])
        await settled(one)
    assert await two.get(TEXT, "k", make) == "v2"


async def test_a_redis_that_forgot_its_clock_is_not_believed(processes):
    one, two = processes
    make = Maker()
    await one.get(TEXT, "k", make)
    await settled(one)
    two.stale(["a"])
    await settled(two)
    redis = Redis(os.environ[REDIS], 1.0)
    await redis._client.delete(one._shared._state("{tfmshop}"))
    await redis.close()
    assert await two.get(TEXT, "k", make) == "v2"


async def test_refreshed_by_one_of_two_processes(processes):
    one, two = processes
    make = Maker()
    await one.get(BRIEF, "k", make)
    await settled(one)
    await two.get(BRIEF, "k", make)
    await asyncio.sleep(0.06)
    make.let = asyncio.Event()
    assert [await cache.get(BRIEF, "k", make) for cache in (one, two) for _ in range(5)] == ["v1"] * 10
    await asyncio.sleep(0.05)
    assert make.made == 2
    make.let.set()
    await settled(one)
    await settled(two)


async def test_a_value_is_made_anew_early_also_where_redis_has_the_same(processes):
    one, two = processes
    make = Maker()
    await one.get(TEXT, "k", make)
    await settled(one)
    one.refresh(one.memory.get("k"), make)
    await settled(one)
    assert (make.made, await one.get(TEXT, "k", make)) == (2, "v2")
    assert await two.get(TEXT, "k", make) == "v2"


async def test_who_begins_to_hear_anew_believes_nothing_from_before(processes):
    one, two = processes
    make = Maker()
    await one.get(TEXT, "k", make)
    await settled(one)
    one.doubt()
    two.doubt()
    one.trust()
    assert await one.get(TEXT, "k", make) == "v2"
    await settled(one)
    two.trust()
    await settled(two)
    assert await two.get(TEXT, "k", make) == "v3"


async def test_many_who_come_at_once_do_not_make_redis_look_away(processes):
    one, _ = processes
    make = Maker()
    await asyncio.gather(*[one.get(TEXT, f"k{n}", make) for n in range(200)])
    await settled(one)
    assert (one._shared._redis.failures, one._shared._redis.usable) == (0, True)


# Redis comes and goes.


async def test_the_cache_goes_on_without_redis_and_believes_nothing_from_before(tmp_path):
    server = Server(tmp_path)
    redis = Redis(server.start(), 1.0)
    cache = Cache(Memory(1 << 20), Shared(redis, "r"))
    cache.trust()
    make = Maker()
    assert await cache.get(TEXT, "k", make) == "v1"
    await settled(cache)
    server._process.kill()
    server._process.wait()
    for n in range(FAILURES + 1):
        assert await cache.get(TEXT, f"other {n}", make) == f"v{n + 2}"
        await settled(cache)
    assert not redis.usable
    failures = redis.failures
    for n in range(20):
        await cache.get(TEXT, f"more {n}", make)
    await settled(cache)
    assert redis.failures <= failures + 1, "it is left alone"
    assert server.revive()
    redis._again_at = 0
    cache.stale(["nothing"])
    await settled(cache)
    assert redis.usable
    made = make.made
    other = Cache(Memory(1 << 20), Shared(redis, "r"))
    other.trust()
    await settled(other)
    assert await cache.get(TEXT, "new", make) == f"v{made + 1}"
    await settled(cache)
    assert await other.get(TEXT, "new", make) == f"v{made + 1}", "it is shared again"
    await redis.close()
    server.stop()


async def test_a_redis_without_room_is_as_good_as_none(tmp_path):
    server = Server(tmp_path)
    redis = Redis(server.start(), 1.0)
    caches = [Cache(Memory(1 << 20), Shared(redis, "r")) for _ in range(2)]
    for cache in caches:
        cache.trust()
        await settled(cache)
    make = Maker()
    assert await caches[0].get(TEXT, "k", make) == "v1"
    await settled(caches[0])
    await redis._client.config_set("maxmemory-policy", "noeviction")
    await redis._client.config_set("maxmemory", "1")
    caches[0].stale(["a"])
    await settled(caches[0])
    assert await caches[0].get(TEXT, "k", make) == "v2"
    assert await caches[0].get(TEXT, "other", make) == "v3"
    await redis._client.config_set("maxmemory", "100mb")
    redis._again_at = 0
    caches[0].memory.clear()
    assert await caches[0].get(TEXT, "k", make) == "v4", "what it has from before is not believed"
    await settled(caches[0])
    await redis.close()
    server.stop()


async def test_a_redis_that_came_back_from_the_past_is_not_believed(tmp_path):
    server = Server(tmp_path)
    url = server.start()
    redis = Redis(url, 1.0)
    cache = Cache(Memory(1 << 20), Shared(redis, "r"))
    cache.trust()
    await settled(cache)
    make = Maker()
    assert await cache.get(TEXT, "k", make) == "v1"
    await settled(cache)
    past = {key: await redis._client.dump(key) for key in await redis._client.keys("*")}
    assert len(past) == 2
    cache.stale(["a"])
    await settled(cache)
    server._process.kill()
    server._process.wait()
    assert server.revive()
    probe = Redis(url, 1.0)
    for key, value in past.items():
        await probe._client.restore(key, 0, value)
    await probe.close()
    for _ in range(3):
        cache.memory.clear()
        assert await cache.get(TEXT, "k", make) != "v1"
        await settled(cache)
    assert redis.breaks == 1
    await redis.close()
    server.stop()


async def test_a_ticket_of_a_redis_that_is_gone_is_behind_every_change(tmp_path):
    """Another Redis takes over whose clock is far behind; what was read before a change stays refused."""
    server = Server(tmp_path)
    url = server.start()
    clients = [Redis(url, 1.0) for _ in range(2)]
    one, two = (Cache(Memory(1 << 20), Shared(redis, "r")) for redis in clients)
    for cache in (one, two):
        cache.trust()
        await settled(cache)
    past = {key: await clients[0]._client.dump(key) for key in await clients[0]._client.keys("*:r:*")}
    for n in range(50):
        one.stale([f"other {n}"])
    await settled(one)
    old = Maker("old")
    old.let = asyncio.Event()
    making = asyncio.create_task(one.get(TEXT, "k", old))
    await old.begun.wait()
    server._process.kill()
    server._process.wait()
    assert server.revive()
    probe = Redis(url, 1.0)
    await probe._client.flushall()
    for key, value in past.items():
        await probe._client.restore(key, 0, value)
    await probe.close()
    old.let.set()
    assert await making == "old1"
    await settled(one)
    assert await two.get(TEXT, "other", Maker()) == "v1"
    await settled(two)
    for cache in (one, two):
        cache.stale(["a", "#900"])
        await settled(cache)
    assert [await cache.get(TEXT, "k", Maker("new")) for cache in (two, one)] == ["new1"] * 2
    for redis in clients:
        await redis.close()
    server.stop()


@pytest.mark.parametrize("told", [None, b"# Server\r\nredis_version:7.2\r\n"], ids=["refused", "without identity"])
async def test_a_redis_that_does_not_say_who_it_is_is_another_one(told):
    class Connection:
        host, port = "localhost", 6379

        async def on_connect(self) -> None:
            pass

        async def send_command(self, name: str) -> None:
            assert name == "INFO"

        async def read_response(self) -> bytes:
            if told is None:
                raise NoPermissionError("INFO")
            return told

    redis = Redis(os.environ[REDIS], 1.0)
    for breaks in (0, 1, 2):
        await redis._connected(Connection())
        assert redis.breaks == breaks
    await redis.close()


async def test_a_stopped_redis_costs_three_short_waits(tmp_path):
    server = Server(tmp_path)
    redis = Redis(server.start(), 0.05)
    cache = Cache(Memory(1 << 20), Shared(redis, "r"))
    cache.trust()
    make = Maker()
    await cache.get(TEXT, "k", make)
    await settled(cache)
    server._process.send_signal(signal.SIGSTOP)
    try:
        calls = 0
        guarded = redis.guarded

        async def counted(call):
            nonlocal calls
            calls += redis.usable
            return await guarded(call)

        redis.guarded = counted
        for n in range(200):
            await cache.get(TEXT, f"k{n}", make)
        assert calls <= FAILURES + 3
        with pytest.raises(Away):
            await redis.guarded(lambda: None)
    finally:
        server._process.send_signal(signal.SIGCONT)
        await redis.close()
        server.stop()


async def test_calls_that_fail_together_fail_once() -> None:
    """A Redis that stalls for a moment, under load, is not left alone for that."""
    redis = Redis("redis://127.0.0.1:9", 0.05)

    async def nobody() -> None:
        await asyncio.sleep(0.01)
        raise TimeoutError

    for times in range(1, FAILURES):
        ended = await asyncio.gather(*[redis.guarded(nobody) for _ in range(20)], return_exceptions=True)
        assert {type(one) for one in ended} == {Away}
        assert (redis.failures, redis.usable) == (times, True)
    with pytest.raises(Away):
        await redis.guarded(nobody)
    assert not redis.usable
    await redis.close()
