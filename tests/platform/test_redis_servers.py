"""Cache and limits over Redis behind Sentinels and over a Redis Cluster, with real servers that die."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import pytest

from tests.platform.test_cache import TEXT, Maker, settled
from tests.platform.test_rates import SMALL, over, who
from tests.redises import Node, cluster, until, watched_by_sentinels
from tfmshop.platform.cache import Cache, Memory, Redis, Shared
from tfmshop.platform.cache.redis import FAILURES, Away
from tfmshop.platform.cache.servers import client_of, close
from tfmshop.platform.limits import Rates


async def test_a_sentinel_that_is_away_keeps_nobody_from_the_others_and_all_of_them_open_the_breaker():
    with watched_by_sentinels() as (url, *_, sentinels):
        sentinels[0].kill()
        redis = Redis(url, 0.1)
        assert await redis.version()
        await redis.close()
        for sentinel in sentinels[1:]:
            sentinel.process.send_signal(signal.SIGSTOP)
        try:
            alone, tried = Redis(url, 0.05), 0
            cache = Cache(Memory(1 << 20), Shared(alone, "r"))
            cache.trust()
            began = time.monotonic()
            while alone.usable and tried < 20:
                tried += 1
                await cache.get(TEXT, f"k{tried}", Maker())
            assert (tried < 20, alone.failures) == (True, FAILURES), (
                "it is left alone after so many failures, and no more"
            )
            with pytest.raises(ConnectionError):
                await alone.version()
            assert time.monotonic() - began < 5
            await settled(cache)
            await alone.close()
        finally:
            for sentinel in sentinels[1:]:
                sentinel.process.send_signal(signal.SIGCONT)


async def test_a_cluster_that_lost_a_server_a_moment_ago_is_let_go_of():
    with cluster() as (url, nodes):
        redis = Redis(url, 0.5)
        reading = redis.script("return redis.call('GET', KEYS[1])")

        async def read() -> None:
            for tag in redis.tags:
                await redis.run(reading, [tag], [])

        await read()
        assert all(_ours(node) for node in nodes[:3])
        nodes[0].kill()
        with pytest.raises(Away):
            await read()
        await redis.close()
        until(lambda: not any(_ours(node) for node in nodes[1:3]))


async def test_a_connection_that_cannot_be_closed_keeps_no_other_open(monkeypatch):
    async def nothing(_) -> None: ...

    client, tried = client_of("redis+cluster://127.0.0.1:1", 0.1, nothing), []

    async def hangs(_, nodes: str = "client") -> None:
        tried.append(nodes)
        raise TimeoutError

    for kind in (type(client), type(client.nodes_manager)):
        monkeypatch.setattr(kind, "aclose", hangs)
    await close(client)
    assert tried == ["client", "nodes_cache", "startup_nodes"]


def _ours(node: Node) -> int:
    return node.ask("CLIENT", "LIST").count("lib-name=redis-py")


KEYS = [f"k{n}" for n in range(40)]


@pytest.fixture(params=["sentinel", "cluster"])
def servers(request):
    """An address, and who is killed."""
    if request.param == "sentinel":
        with watched_by_sentinels() as (url, master, *_):
            yield url, master
    else:
        with cluster() as (url, nodes):
            yield url, *nodes


@pytest.fixture
async def processes(servers):
    """Two processes: a Redis, a cache and limits each."""
    redises = [Redis(servers[0], 0.5) for _ in range(2)]
    caches = [Cache(Memory(1 << 20), Shared(redis, "r")) for redis in redises]
    rates = [Rates(redis, 60, 2) for redis in redises]
    for cache in caches:
        cache.trust()
        await settled(cache)
    yield redises, caches, rates
    for one in (*caches, *rates, *redises):
        await one.close()


async def _made_again(one: Cache, two: Cache, make: Maker) -> int:
    """How much of what one process has made another makes again."""
    for cache in (one, two):
        await settled(cache)
        cache.memory.clear()
    for key in KEYS:
        await one.get(TEXT, key, make)
    await settled(one)
    made = make.made
    for key in KEYS:
        await two.get(TEXT, key, make)
    return make.made - made


async def test_what_one_process_makes_another_gets_until_it_is_stale_also_after_a_server_died(servers, processes):
    redises, (one, two), rates = processes
    first = Maker("first")
    for key in KEYS:
        await one.get(TEXT, key, first)
    await settled(one)
    assert first.made == len(KEYS)
    assert all(int(node.ask("DBSIZE")[1:]) > 2 for node in servers[1:4]), "every server has a part"
    assert await redises[0].version()
    second = Maker("second")
    assert all([(await two.get(TEXT, key, second)).startswith("first") for key in KEYS])
    for cache in (one, two):
        cache.stale(["a", "#1"])
    await settled(one)
    await settled(two)
    assert all([(await two.get(TEXT, key, second)).startswith("second") for key in KEYS])
    let = [await over(rates, SMALL, client, 100) for client in (who(), who(), who())]
    assert let == [Counter({False: 80, True: 20})] * 3

    breaks = [redis.breaks for redis in redises]
    servers[1].kill()
    third = Maker("third")
    one.stale(["a"])
    two.stale(["a"])
    died = time.monotonic()
    while not (redises[0].breaks > breaks[0] and redises[1].breaks > breaks[1]):
        assert time.monotonic() < died + 30, "nobody took over"
        for cache in (one, two):
            cache.memory.clear()
            assert all([(await cache.get(TEXT, key, third)).startswith("third") for key in KEYS])
        await asyncio.sleep(0.1)
    while await _made_again(one, two, third) > len(KEYS) // 2:
        assert time.monotonic() < died + 60, "it is shared again"
    while not all(redis.usable for redis in redises):
        assert time.monotonic() < died + 60, "it is used again"
        await _made_again(one, two, third)
