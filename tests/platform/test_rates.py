"""How often a client may ask: never more than allowed in any window, over processes, with a Redis and without."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from collections import Counter

import pytest

from tests.servers import REDIS
from tfmshop.platform import ids
from tfmshop.platform.cache.redis import Redis
from tfmshop.platform.clock import monotonic
from tfmshop.platform.limits import Rates, Tier
from tfmshop.platform.limits.counted import Counted
from tfmshop.platform.limits.rates import TELL_SECONDS

SMALL, LARGE, VAST = Tier("checkout", 20), Tier("api", 400), Tier("general", 10**9)
NOBODY = "redis://127.0.0.1:9"


def who() -> str:
    return ids.token()


@pytest.fixture
async def redis():
    client = Redis(os.environ[REDIS], 1)
    yield client
    assert client.failures == 0
    await client.close()


@pytest.fixture
async def process(redis: Redis):
    """Makes the counting of another process, which is closed at the end; without a Redis if that is None."""
    made = []

    def make(redis: Redis | None = redis, window: float = 60, processes: int = 1) -> Rates:
        made.append(Rates(redis, window, processes))
        return made[-1]

    yield make
    for rates in made:
        await rates.close()


async def over(processes: list[Rates], tier: Tier, client: str, requests: int) -> Counter[bool]:
    """Requests at once, over the processes in turn: how many were let through."""
    asked = [processes[n % len(processes)].ask(tier, client, monotonic()) for n in range(requests)]
    return Counter(slower is None for _, slower in await asyncio.gather(*asked))


async def test_small_allowances_are_exact_over_processes(redis: Redis, process) -> None:
    processes = [process() for _ in range(3)]
    assert await over(processes, SMALL, who(), 300) == {True: 20, False: 280}


async def test_shops_that_share_a_redis_count_apart(process, db, wide_db) -> None:
    names = [await db.identity(), await wide_db.identity()]
    assert len(set(names)) == 2
    redises = [Redis(os.environ[REDIS], 1, name) for name in names]
    client = who()
    for redis in redises:
        assert await over([process(redis), process(redis)], SMALL, client, 100) == {True: 20, False: 80}
    for redis in redises:
        await redis.close()


async def test_large_allowances_are_kept_within_what_processes_may_say_later(redis: Redis, process) -> None:
    processes = [process(processes=2) for _ in range(2)]
    got = await over(processes, LARGE, who(), 1600)
    assert 400 <= got[True] <= 400 + 2 * LARGE.credit(2)


@pytest.mark.parametrize("url", [None, NOBODY])
async def test_without_redis_each_process_has_its_part(url: str | None, process) -> None:
    redis = Redis(url, 0.05) if url else None
    processes = [process(redis, processes=2) for _ in range(2)]
    for tier in (SMALL, LARGE):
        assert (await over(processes, tier, who(), 4 * tier.most))[True] == tier.most
    if redis is not None:
        await redis.close()


async def test_clients_and_tiers_do_not_count_for_each_other(redis: Redis, process) -> None:
    rates, one = process(), who()
    assert (await over([rates], SMALL, one, 30))[True] == 20
    assert (await over([rates], SMALL, who(), 20))[True] == 20
    assert (await over([rates], LARGE, one, 20))[True] == 20


@pytest.mark.parametrize("shared", [True, False])
async def test_no_span_of_a_window_has_more_than_the_allowance(redis: Redis, shared: bool, process) -> None:
    """A client at twice its allowance, for three windows."""
    window, tier, client = 1.0, Tier("api", 200), who()
    rates = process(redis if shared else None, window=window)
    let_in, begun, asked = [], monotonic(), 0
    while (now := monotonic()) - begun < 3 * window:
        if asked < (now - begun) * 2 * tier.most / window:
            asked += 1
            _, slower = await rates.ask(tier, client, now)
            if slower is None:
                let_in.append(now)
        else:
            await asyncio.sleep(0.001)
    most = max(bisect_left(let_in, at + window) - n for n, at in enumerate(let_in))
    assert most <= tier.most * 1.05
    assert len(let_in) >= 3 * tier.most * 0.9


async def test_what_was_told_to_redis_counts_after_it_is_away_and_forgot_everything(redis: Redis, process) -> None:
    first, second, client = process(processes=2), process(processes=2), who()
    assert (await over([first, second], LARGE, client, 300))[True] == 300
    gone = Redis(NOBODY, 0.05)
    for rates in (first, second):
        rates._redis = gone
    got = (await over([first, second], LARGE, client, 400))[True]
    assert 300 + got <= LARGE.most + 2 * LARGE.credit(2)
    for rates in (first, second):
        rates._redis = redis
    keys = await redis._client.keys(f"*{client}")
    assert await redis._client.delete(*keys) == 1
    again = (await over([first, second], LARGE, client, 400))[True]
    assert 300 + got + again <= LARGE.most + 2 * LARGE.credit(2)
    await gone.close()


async def test_after_redis_is_back_processes_ask_for_their_parts_only(redis: Redis, process) -> None:
    processes, client = [process(processes=2) for _ in range(2)], who()
    for rates in processes:
        rates._alone_until = monotonic() + 60
    assert [(await over([rates], SMALL, client, 100))[True] for rates in processes] == [10, 10]


@pytest.fixture
def calls(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every message to Redis."""
    heard: list[object] = []
    real = redis.run

    async def counting(*given):
        heard.append(given)
        return await real(*given)

    monkeypatch.setattr(redis, "run", counting)
    return heard


async def test_what_is_refused_costs_redis_nothing(calls: list[object], process) -> None:
    rates, client = process(), who()
    await over([rates], SMALL, client, 30)
    calls.clear()
    assert (await over([rates], SMALL, client, 50))[True] == 0
    assert calls == []


async def test_browsing_tells_redis_of_many_clients_in_one_round_trip(calls: list[object], process) -> None:
    rates = process()
    for _ in range(90):
        assert rates.spend(LARGE, who(), monotonic()) is not None
    assert calls == []
    await rates.close()
    assert len(calls) == 1


async def test_who_goes_on_browsing_is_told_of_now_and_then(calls: list[object], process) -> None:
    """Not again as soon as Redis has answered: that would be as many messages as it can answer."""
    rates, client = process(), who()
    turns, until = 0, monotonic() + 10 * TELL_SECONDS
    while monotonic() < until:
        assert rates.spend(VAST, client, monotonic()) is not None
        turns += 1
        await asyncio.sleep(0)
    assert turns > 100
    assert 1 <= len(calls) <= 11
    await rates.close()
    assert rates._known[VAST.name][client].own == turns


async def test_who_waited_long_enough_is_let_through_again(process) -> None:
    """Without Redis, and with nothing said meanwhile."""
    rates, client = process(None, window=0.3), who()
    assert (await over([rates], SMALL, client, 30))[True] == 20
    await asyncio.sleep(0.3 * 62 / 60)
    assert (await over([rates], SMALL, client, 30))[True] == 20


async def test_an_error_opens_nothing_each_process_has_its_part(process, redis: Redis, monkeypatch) -> None:
    async def broken(*_):
        raise ValueError("not even Redis")

    with monkeypatch.context() as patched:
        patched.setattr(redis, "run", broken)
        assert (await over([process(processes=2)], SMALL, who(), 30))[True] == 10


async def test_who_gave_up_waiting_spends_nothing(process) -> None:
    rates, client = process(), who()
    asked = [asyncio.create_task(rates.ask(SMALL, client, monotonic())) for _ in range(20)]
    await asyncio.sleep(0)
    for one in asked:
        one.cancel()
    await asyncio.wait(asked)
    assert (await over([rates], SMALL, client, 30))[True] == 20


async def test_those_who_wait_are_not_forgotten_for_others(process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmshop.platform.limits.rates.MOST_CLIENTS", 10)
    rates, client = process(None), who()
    assert (await over([rates], SMALL, client, 30))[True] == 20
    for _ in range(15):
        await over([rates], SMALL, who(), 1)
    assert (await over([rates], SMALL, client, 5))[True] == 0


def asks_in_vain(counted: Counted, now: float) -> float:
    """How long a client that asks and asks is made to wait."""
    while counted.wait_until <= now:
        counted.refuse(now, 60.0)
    return counted.wait_until - now


def test_who_goes_on_asking_waits_twice_as_long_each_time_and_is_forgiven() -> None:
    now, waits = 1000.0, []
    counted = Counted(Tier("api", 100), "somebody", now)
    for _ in range(14):
        waits.append(asks_in_vain(counted, now))
        now = counted.wait_until
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    assert asks_in_vain(counted, now + 10 * 60) == 4
    assert asks_in_vain(counted, now + 3600) == 1


def test_a_flood_is_told_when_the_wait_grows_and_once_a_window() -> None:
    counted, now = Counted(Tier("api", 100), "somebody", 1000.0), 1000.0
    assert [n for n in range(1, 10_000) if counted.refuse(now, 60.0)] == [1, *range(151, 151 + 12 * 150, 150)]
    assert [counted.refuse(now + later, 60.0) for later in (59, 60, 61, 119.9, 120)] == [0, 1, 0, 0, 1]


def test_a_client_at_twice_its_allowance_does_not_wait_longer() -> None:
    tier, now = Tier("api", 100), 1000.0
    counted = Counted(tier, "somebody", now)
    for _ in range(1000):
        counted.refuse(now, 60.0)
        now += 0.6
    assert counted.wait_until == 1000.0
