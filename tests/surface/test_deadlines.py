"""Deadlines: who takes too long hears it, once, and nobody else does."""

from __future__ import annotations

import asyncio

import pytest

from tfmshop.surface.http.edge import deadlines
from tfmshop.surface.http.edge.deadlines import Deadlines


async def test_who_takes_too_long_is_ended_and_goes_on():
    all = Deadlines()
    with pytest.raises(TimeoutError), all.of(0.05):
        await asyncio.sleep(5)
    assert not all.running
    await asyncio.sleep(0)  # the task is not cancelled any more


async def test_who_is_in_time_hears_nothing():
    all = Deadlines()
    with all.of(0.3) as deadline:
        for _ in range(4):
            await asyncio.sleep(0.15)
            deadline.renew()
    with pytest.raises(KeyError), all.of(0.3):
        raise KeyError
    await asyncio.sleep(2 * deadlines.LOOK_SECONDS)
    assert not all.running


async def test_who_is_cancelled_otherwise_stays_cancelled():
    all = Deadlines()

    async def work():
        with all.of(0.05):
            await asyncio.sleep(5)

    for also_late in (False, True):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        (deadline,) = all.running
        if also_late:
            deadline.end_if_over(deadlines.monotonic() + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_of_two_deadlines_the_one_that_is_over_is_told():
    all = Deadlines()
    with all.of(5):
        with pytest.raises(TimeoutError), all.of(0.05):
            await asyncio.sleep(5)
        await asyncio.sleep(0.01)
