"""What answers from memory and refusals in a crowd leave behind, told many at a time: one by one, telling would cost a
sixth of such an answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import TIMED, Alike, Answered
from tfmshop.platform.observe.metrics import sampled
from tfmshop.surface.http.edge.measure import DURATION

LONGEST_WAIT: Final = 0.02
"""Seconds until it is told. A process that is killed takes with it what it did not tell yet."""


class Ready:
    """The answers that were not told of yet, of those there is room for; how long all took is in `TIMED` until then."""

    def __init__(self) -> None:
        self._told: list[Answered] = []
        self._room = self._slow = 0.0
        self._least = 0.0
        """Who took so long is looked at: everybody, until there is no more room; then who was slow."""
        self._timer: asyncio.TimerHandle | None = None
        self._unsampled = sampled(self.tell)

    def add(self, alike: Alike, request_id: str, came: float, traceparent: bytes | None) -> None:
        """One more was given, to a request that came at a moment of `clock.monotonic`."""
        ended = monotonic()
        took = ended - came
        alike.seconds.append(took)
        if took >= self._least:
            self._keep((alike, request_id, came, ended, traceparent))

    def _keep(self, answer: Answered) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.tell)
            self._room, self._slow = logs.room()
            if traces.on:
                self._room = max(self._room, traces.MOST_ALIKE)
        if self._room > 0 or answer[3] - answer[2] >= self._slow:
            self._room -= 1
            self._told.append(answer)
        if self._room <= 0:
            self._least = self._slow

    def tell(self) -> None:
        """Count them, log some, and trace some."""
        if self._timer is not None:
            self._timer.cancel()
        told, self._told = self._told, []
        self._timer, self._least, count = None, 0.0, 0
        for timed in TIMED:
            if timed.seconds:
                count += len(timed.seconds)
                DURATION.of(timed.method, timed.route, timed.status).add_all(timed.seconds)
                timed.seconds.clear()
        logs.answered(told, count)
        if traces.on:
            traces.answered(told)

    def close(self) -> None:
        """Tell what there is; no more comes."""
        self._unsampled()
        self.tell()
