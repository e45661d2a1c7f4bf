"""How long requests may take: one timer for all of them, because `asyncio.timeout` has one for each, which costs more
than most of what the edge does.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from tfmshop.platform.clock import monotonic

LOOK_SECONDS: Final = 0.1
"""By how much the end may be late."""


class Deadlines:
    """The blocks of one event loop that have a deadline."""

    def __init__(self) -> None:
        self.running: set[Deadline] = set()
        self._looks = False

    def of(self, seconds: float) -> Deadline:
        """A deadline for one block."""
        return Deadline(self, seconds)

    def look_soon(self) -> None:
        """Have somebody look while there are any."""
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks, now = False, monotonic()
        for one in self.running:
            one.end_if_over(now)
        if self.running:
            self.look_soon()


class Deadline:
    """`with` it, a block ends with TimeoutError when it has taken so long."""

    __slots__ = ("_all", "_at", "_cancelling", "_over", "_seconds", "_task")

    def __init__(self, all: Deadlines, seconds: float) -> None:
        self._all, self._seconds = all, seconds
        self._over = False

    def __enter__(self) -> Self:
        """The block begins; RuntimeError outside of a task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task")
        self._task, self._cancelling = task, task.cancelling()
        self.renew()
        self._all.running.add(self)
        self._all.look_soon()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """The block ended. TimeoutError where that was because of the deadline."""
        self._all.running.discard(self)
        if self._over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def renew(self) -> None:
        """The block has the whole time once more, from now on."""
        self._at = monotonic() + self._seconds

    def end_if_over(self, now: float) -> None:
        """Cancel the block, once, when its time is over."""
        if now >= self._at and not self._over:
            self._over = True
            self._task.cancel()
