"""Callers who come at the same moment are worked for together, each with an outcome of their own."""

from __future__ import annotations

import asyncio

import pytest

from tfmshop.platform.errors import Busy
from tfmshop.platform.together import Together


class Worker:
    """Notes its batches; doubles numbers, refuses 13, breaks on 0; works while `gate` is open."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, numbers: list[int]) -> list[int | Exception]:
        self.batches.append(numbers)
        await self.gate.wait()
        if 0 in numbers:
            raise ZeroDivisionError
        return [ValueError(number) if number == 13 else number * 2 for number in numbers]


@pytest.fixture
def worker() -> Worker:
    return Worker()


def together(worker: Worker, **changes) -> Together[int, int]:
    given = {"at_once": 1, "most": 4, "patience_seconds": 5.0, "marks": lambda number: (number,)}
    return Together(worker, **(given | changes))


async def many(work: Together[int, int], *numbers: int) -> list[int | BaseException]:
    return await asyncio.gather(*[work.do(number) for number in numbers], return_exceptions=True)


async def test_one_alone_starts_at_once_and_who_comes_meanwhile_goes_together(worker):
    assert await many(together(worker), 1, 2, 3, 4, 5, 6) == [2, 4, 6, 8, 10, 12]
    assert worker.batches == [[1, 2, 3, 4], [5, 6]]
    worker.batches.clear()
    worker.gate.clear()
    work = together(worker)
    first = asyncio.create_task(work.do(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = asyncio.create_task(many(work, 2, 3))
    await asyncio.sleep(0)
    worker.gate.set()
    assert (await first, await others) == (2, [4, 6])
    assert worker.batches == [[1], [2, 3]]


async def test_each_has_an_outcome_of_its_own_and_what_is_raised_is_everybodys(worker):
    first, second = await many(together(worker), 13, 4)
    assert isinstance(first, ValueError)
    assert second == 8
    assert [type(one) for one in await many(together(worker), 0, 4)] == [ZeroDivisionError] * 2
    assert await many(together(worker), 5) == [10]


async def test_what_shares_a_mark_never_goes_together_and_keeps_its_order(worker):
    work = together(worker, marks=lambda number: (number % 10,))
    assert await many(work, 1, 11, 2, 21, 3) == [2, 22, 4, 42, 6]
    assert worker.batches == [[1, 2, 3], [11], [21]]


async def test_whoever_waits_too_long_is_told_and_not_worked_for(worker):
    worker.gate.clear()
    work = together(worker, patience_seconds=0.05)
    first = asyncio.create_task(work.do(1))
    await asyncio.sleep(0.01)
    with pytest.raises(Busy):
        await work.do(2)
    worker.gate.set()
    assert await first == 2
    assert await work.do(3) == 6
    assert worker.batches == [[1], [3]]


async def test_whoever_gives_up_leaves_the_others_alone(worker):
    worker.gate.clear()
    work = together(worker, most=2)
    tasks = [asyncio.create_task(work.do(number)) for number in (1, 2, 3, 4)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    tasks[2].cancel()
    worker.gate.set()
    assert await asyncio.gather(tasks[1], tasks[3]) == [4, 8]
    assert worker.batches == [[1, 2], [4]]


@pytest.mark.parametrize("outcomes", [[], [1, 2, 3]])
async def test_work_that_gives_another_number_of_outcomes_leaves_nobody_waiting(outcomes):
    async def work(_):
        return outcomes

    together = Together(work, at_once=1, most=8, patience_seconds=1, marks=lambda one: (one,))
    with pytest.raises(TypeError):
        await asyncio.wait_for(together.do("a"), 1)
