"""Doing the work of callers who come at the same moment together, so that they share what it costs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

from tfmshop.platform.errors import Busy

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

Work = Callable[[list[Item]], Awaitable[Sequence[Outcome | Exception]]]
"""Does what several callers ask for: an outcome or an exception for each, in their order."""


class _Asked(Generic[Item, Outcome]):
    """An item, and the future of its outcome; `begun` once it is being worked on."""

    __slots__ = ("begun", "item", "outcome")

    def __init__(self, item: Item, outcome: asyncio.Future[Outcome]) -> None:
        self.item = item
        self.outcome = outcome
        self.begun = False


class Together(Generic[Item, Outcome]):
    """Hands the items of concurrent callers to `work`, up to `most` at once.

    Nobody waits for company: an item that comes alone starts at once. While `at_once` batches are under way, later
    items gather, and go together when one of them ends. Items that share one of their `marks` never go together. What
    `work` raises is the outcome of the whole batch.
    """

    def __init__(
        self, work: Work[Item, Outcome], *, at_once: int, most: int, patience_seconds: float,
        marks: Callable[[Item], Collection[Hashable]],
    ) -> None:  # fmt: skip
        self._work = work
        self._at_once = at_once
        self._most = most
        self._patience = patience_seconds
        self._marks = marks
        self._queue: deque[_Asked[Item, Outcome]] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    async def do(self, item: Item) -> Outcome:
        """Have an item worked on; its outcome. `Busy` when its turn does not come in time."""
        asked = _Asked[Item, Outcome](item, asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        if len(self._workers) < self._at_once:
            worker = asyncio.create_task(self._work_off())
            self._workers.add(worker)
        try:
            done, _ = await asyncio.wait({asked.outcome}, timeout=self._patience)
            if not done and not asked.begun:
                raise Busy
            return await asked.outcome
        finally:
            asked.outcome.cancel()

    async def _work_off(self) -> None:
        try:
            while batch := self._next():
                await self._hand_over(batch)
        finally:
            self._workers.discard(asyncio.current_task())

    def _next(self) -> list[_Asked[Item, Outcome]]:
        """The next batch: whoever waited longest, without those that have given up or share a mark."""
        batch: list[_Asked[Item, Outcome]] = []
        later: list[_Asked[Item, Outcome]] = []
        taken: set[Hashable] = set()
        while self._queue and len(batch) < self._most:
            asked = self._queue.popleft()
            if asked.outcome.done():
                continue
            marks = self._marks(asked.item)
            if taken.isdisjoint(marks):
                taken.update(marks)
                batch.append(asked)
            else:
                later.append(asked)
        self._queue.extendleft(reversed(later))
        return batch

    async def _hand_over(self, batch: list[_Asked[Item, Outcome]]) -> None:
        for asked in batch:
            asked.begun = True
        outcomes: Sequence[Outcome | Exception] = [Busy()] * len(batch)
        try:
            found = await self._work([asked.item for asked in batch])
            outcomes = found if len(found) == len(batch) else [TypeError("not one outcome each")] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers get it
            outcomes = [error] * len(batch)
        finally:
            self._tell(batch, outcomes)

    @staticmethod
    def _tell(batch: list[_Asked[Item, Outcome]], outcomes: Sequence[Outcome | Exception]) -> None:
        for asked, outcome in zip(batch, outcomes, strict=True):
            if asked.outcome.done():
                continue
            if isinstance(outcome, Exception):
                asked.outcome.set_exception(outcome)
            else:
                asked.outcome.set_result(outcome)
