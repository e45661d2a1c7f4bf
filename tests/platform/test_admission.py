"""How many requests are worked on at once: bursts wait, floods do not, and who pays has a part of the places."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from math import ceil

import pytest

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.pool import PoolStatistics
from tfmshop.platform.limits import Admission, Line, Overloaded
from tfmshop.platform.limits import admission as limits_admission
from tfmshop.platform.limits.admission import BEGIN, BURST, KEPT, LEAST, LINE, LINE_OF_FIRST, PATIENCE, TICK

FOR_OTHERS = BEGIN - int(KEPT * BEGIN) - 1
"""Places that are not kept, of those at the beginning."""


@pytest.fixture
def pool() -> PoolStatistics:
    return PoolStatistics()


@pytest.fixture
def admission(pool: PoolStatistics) -> Admission:
    return Admission(pool)


async def work(admission: Admission, *, line: Line = Line.OTHERS, seconds: float = 0.005) -> bool:
    """Some work, if there is a place for it."""
    try:
        async with admission.place(line):
            await asyncio.sleep(seconds)
        return True
    except Overloaded:
        return False


async def flood(admission: Admission, seconds: float, at_once: int = 60, each: float = 0.005) -> Counter[bool]:
    """Work that comes anew as soon as it was done or turned away."""
    done: Counter[bool] = Counter()
    over = asyncio.get_running_loop().time() + seconds

    async def one() -> None:
        while asyncio.get_running_loop().time() < over:
            came = await work(admission, seconds=each)
            done[came] += 1
            if not came:
                await asyncio.sleep(0.002)

    await asyncio.gather(*[one() for _ in range(at_once)])
    return done


async def test_a_burst_waits_and_is_worked_off(admission: Admission) -> None:
    assert await asyncio.gather(*[work(admission) for _ in range(150)]) == [True] * 150
    assert (admission.taken, admission.turned_away) == (0, 0)


async def test_nobody_waits_in_line_where_who_has_a_place_finds_no_connection(pool, admission):
    async with AsyncExitStack() as held:
        for _ in range(FOR_OTHERS):
            await held.enter_async_context(admission.place(Line.OTHERS))
        waiting = [asyncio.create_task(work(admission)) for _ in range(5)]
        await asyncio.sleep(0)
        pool.timed_out += 1
        assert await asyncio.gather(*waiting) == [False] * 5
        assert await work(admission, line=Line.FIRST)


async def test_who_waits_in_too_long_a_line_is_turned_away(admission: Admission) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(FOR_OTHERS):
            await stack.enter_async_context(admission.place(Line.OTHERS))
        waiting = [asyncio.create_task(work(admission)) for _ in range(LINE)]
        await asyncio.sleep(0)
        assert admission.hopeless(Line.OTHERS)
        assert not await work(admission)
    assert await asyncio.gather(*waiting) == [True] * LINE


async def test_a_thousand_who_come_first_wait_in_line_and_the_next_does_not(admission: Admission) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(BEGIN):
            await stack.enter_async_context(admission.place(Line.FIRST))
        waiting = [asyncio.create_task(work(admission, line=Line.FIRST)) for _ in range(LINE_OF_FIRST)]
        await asyncio.sleep(0)
        assert not await work(admission, line=Line.FIRST)
    assert await asyncio.gather(*waiting) == [True] * LINE_OF_FIRST


async def test_a_long_line_of_those_who_come_first_leaves_others_a_part(admission: Admission) -> None:
    came: list[Line] = []

    async def one(line: Line) -> None:
        async with admission.place(line):
            came.append(line)
            await asyncio.sleep(0.01)

    await asyncio.gather(*[one(Line.FIRST) for _ in range(300)], *[one(Line.OTHERS) for _ in range(20)])
    assert came.count(Line.OTHERS) == 20
    assert came.index(Line.OTHERS) <= 2 * BEGIN
    assert max(n for n, line in enumerate(came) if line is Line.OTHERS) < 200


async def test_a_flood_of_those_who_come_first_starves_nobody(admission: Admission, pool: PoolStatistics) -> None:
    """For longer than it takes to call it a flood."""
    came: list[tuple[float, Line]] = []
    keeping, started = asyncio.create_task(_keep_waiting(pool)), monotonic()

    async def again_and_again(line: Line) -> None:
        while monotonic() - started < BURST + 3:
            with suppress(Overloaded):
                async with admission.place(line):
                    came.append((monotonic() - started, line))
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.01)

    crowd = [Line.FIRST] * 100 + [Line.NEWS] * 40 + [Line.OTHERS] * 40
    await asyncio.gather(*[again_and_again(line) for line in crowd])
    keeping.cancel()
    late = Counter(line for at, line in came if at > BURST + 1)
    assert late[Line.FIRST] > late.total() / 4
    assert min(late[Line.OTHERS], late[Line.NEWS]) > late.total() / 20


async def test_who_comes_first_waits_less_where_no_connection_comes_free(
    admission: Admission, pool: PoolStatistics
) -> None:
    async with AsyncExitStack() as held:
        for _ in range(BEGIN):
            await held.enter_async_context(admission.place(Line.FIRST))
        waiting = asyncio.create_task(work(admission, line=Line.FIRST))
        await asyncio.sleep(0)
        for _ in range(ceil((PATIENCE + 0.5) / TICK)):
            pool.timed_out += 1
            pool.waited_seconds += 10
            await asyncio.sleep(TICK)
        assert waiting.done()
        assert not waiting.result()


async def test_a_flood_is_turned_away_at_once_after_a_while_and_work_goes_on(
    admission: Admission, pool: PoolStatistics
) -> None:
    admission.places = LEAST
    pool.waited_seconds = 1000.0
    crowding = asyncio.create_task(flood(admission, BURST + 1.5, 150))
    keeping = asyncio.create_task(_keep_waiting(pool))
    await asyncio.sleep(BURST / 2)
    assert not admission.hopeless(Line.OTHERS)
    await crowding
    keeping.cancel()
    done = crowding.result()
    assert done[False] > 100
    assert done[True] > 100
    await asyncio.sleep(BURST + 3 * TICK)
    assert not admission.hopeless(Line.OTHERS)
    assert await work(admission)


def _keep_places(admission: Admission) -> None:
    """From now on there are as many as there are."""
    assert admission._next is not None
    admission._next.cancel()


async def _keep_waiting(pool: PoolStatistics) -> None:
    """Have work wait for the database, so that there are few places."""
    while True:
        pool.acquired += 1
        pool.waited_seconds += 0.1
        await asyncio.sleep(TICK / 5)


async def test_many_who_are_served_soon_are_no_flood(admission: Admission, pool: PoolStatistics) -> None:
    admission.places = LEAST
    keeping = asyncio.create_task(_keep_waiting(pool))
    done = await flood(admission, BURST + 1, 25, 0.002)
    keeping.cancel()
    assert done[False] == 0


async def test_a_part_of_the_places_is_kept_for_who_comes_first(admission: Admission) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(FOR_OTHERS):
            await stack.enter_async_context(admission.place(Line.OTHERS))
        late = asyncio.create_task(work(admission))
        await asyncio.sleep(0)
        assert await asyncio.gather(*[work(admission, line=Line.FIRST, seconds=0) for _ in range(50)]) == [True] * 50
        assert not late.done()
    assert await late


async def test_news_waits_where_a_flood_is_turned_away(admission: Admission, pool: PoolStatistics) -> None:
    async with AsyncExitStack() as held:
        for _ in range(FOR_OTHERS):
            await held.enter_async_context(admission.place(Line.OTHERS))
        pool.timed_out += 1
        assert await work(admission, line=Line.FIRST), "which is when it is seen"
        assert not await work(admission)
        _keep_places(admission)
        waiting = [asyncio.create_task(work(admission, line=Line.NEWS)) for _ in range(LINE)]
        await asyncio.sleep(2 * TICK)
        assert not any(one.done() for one in waiting)
        assert not await work(admission, line=Line.NEWS), "nor in a line without an end"
    assert await asyncio.gather(*waiting) == [True] * LINE


async def test_news_waits_longer_than_others(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_admission, "PATIENCE", 0.1)
    async with AsyncExitStack() as held:
        for _ in range(FOR_OTHERS):
            await held.enter_async_context(admission.place(Line.OTHERS))
        _keep_places(admission)
        news, other = asyncio.create_task(work(admission, line=Line.NEWS)), asyncio.create_task(work(admission))
        await asyncio.sleep(0.2)
        admission._let_in()
        assert not await other
        assert not news.done()
    assert await news


async def test_a_flood_ends_though_news_is_turned_away(admission: Admission, pool: PoolStatistics) -> None:
    pool.timed_out += 1
    assert await work(admission)
    assert admission._flooded
    async with AsyncExitStack() as held:
        for _ in range(FOR_OTHERS):
            await held.enter_async_context(admission.place(Line.NEWS if admission._is_free(Line.NEWS) else Line.OTHERS))
        _keep_places(admission)
        waiting = [asyncio.create_task(work(admission, line=Line.NEWS)) for _ in range(LINE)]
        await asyncio.sleep(0)
        admission._refused_at = monotonic() - BURST / 2
        for _ in range(ceil(BURST / TICK)):
            assert not await work(admission, line=Line.NEWS)
            admission._look()
            _keep_places(admission)
            await asyncio.sleep(TICK)
        assert not admission._flooded
    assert await asyncio.gather(*waiting) == [True] * LINE


async def test_more_news_than_may_come_makes_no_more_places(admission: Admission) -> None:
    async with AsyncExitStack() as held:
        for _ in range(ceil(KEPT * BEGIN)):
            await held.enter_async_context(admission.place(Line.NEWS))
        waiting = [asyncio.create_task(work(admission, line=Line.NEWS)) for _ in range(LINE)]
        await asyncio.sleep(4 * TICK)
        assert not await work(admission, line=Line.NEWS)
        await asyncio.sleep(4 * TICK)
        assert admission.places <= BEGIN
    assert await asyncio.gather(*waiting) == [True] * LINE


async def test_a_flood_of_news_takes_few_places_and_is_no_flood_to_others(admission: Admission) -> None:
    async with AsyncExitStack() as held:
        for _ in range(ceil(KEPT * BEGIN)):
            await held.enter_async_context(admission.place(Line.NEWS))
        _keep_places(admission)
        waiting = [asyncio.create_task(work(admission, line=Line.NEWS)) for _ in range(LINE)]
        await asyncio.sleep(0)
        for _ in range(ceil((BURST + 0.3) / TICK)):
            assert not await work(admission, line=Line.NEWS)
            assert await work(admission, seconds=TICK)
            admission._judge(monotonic())
        assert await asyncio.gather(*[work(admission) for _ in range(150)]) == [True] * 150
    assert await asyncio.gather(*waiting) == [True] * LINE


async def test_places_go_down_while_work_waits_for_the_database_and_up_when_it_does_not(
    admission: Admission, pool: PoolStatistics
) -> None:
    waiting = asyncio.create_task(_keep_waiting(pool))
    await flood(admission, 20 * TICK)
    waiting.cancel()
    low = admission.places
    assert LEAST <= low < BEGIN / 2
    await flood(admission, 20 * TICK)
    assert admission.places > low + 5


@pytest.mark.parametrize("let_in_first", [False, True])
async def test_who_gives_up_waiting_takes_no_place(admission: Admission, let_in_first: bool) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(FOR_OTHERS):
            await stack.enter_async_context(admission.place(Line.OTHERS))
        waiting = [asyncio.create_task(work(admission)) for _ in range(20)]
        await asyncio.sleep(0)
        if let_in_first:
            await stack.aclose()
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
    assert admission.taken == 0
