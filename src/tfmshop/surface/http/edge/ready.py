"""What answers from memory and refusals in a crowd leave behind, told many at a time: one by one, telling would cost a
sixth of such an answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import Alike, Answered, Timed
from tfmshop.platform.observe.metrics import sampled
from tfmshop.surface.http.edge.measure import DURATION

LONGEST_WAIT: Final = 0.02
"""Seconds until it is told. A process that is killed takes with it what it did not tell yet."""


class Ready:
    """The answers that were not told of yet: all are counted, and those there is room for are told of one by one."""

    def __init__(self) -> None:
        self._seconds: dict[Timed, list[float]] = {}
        self._told: list[Answered] = []
        self._room = self._slow = 0.0
        self._unsampled = sampled(self.tell)

    def add(self, alike: Alike, request_id: str, came: float, traceparent: bytes | None) -> None:
        """One more was given, to a request that came at a moment of `clock.monotonic`."""
        seconds = self._seconds.get(alike.timed)
        if seconds is None:
            seconds = self._begin(alike.timed)
        ended = monotonic()
        took = ended - came
        seconds.append(took)
        if self._room > 0 or took >= self._slow:
            self._room -= 1
            self._told.append((alike, request_id, came, ended, traceparent))

    def _begin(self, timed: Timed) -> list[float]:
        if not self._seconds:
            asyncio.get_running_loop().call_later(LONGEST_WAIT, self.tell)
            self._room, self._slow = logs.room()
            if traces.on:
                self._room = max(self._room, traces.MOST_ALIKE)
        seconds: list[float] = []
        self._seconds[timed] = seconds
        return seconds

    def tell(self) -> None:
        """Count them, log some, and trace some."""
        seconds, self._seconds = self._seconds, {}
        told, self._told = self._told, []
        for timed, all_of_them in seconds.items():
            DURATION.of(timed.method, timed.route, timed.status).add_all(all_of_them)
        logs.answered(told, sum(map(len, seconds.values())))
        if traces.on:
            traces.answered(told)

    def close(self) -> None:
        """Tell what there is; no more comes."""
        self._unsampled()
        self.tell()
