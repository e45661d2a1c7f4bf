"""What answers from memory and refusals in a crowd leave behind, told many at a time: one by one, telling would cost a
sixth of such an answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import Alike, Answered
from tfmshop.platform.observe.metrics import sampled
from tfmshop.surface.http.edge.measure import DURATION

LONGEST_WAIT: Final = 0.02
"""Seconds until it is told. A process that is killed takes with it what it did not tell yet."""


class Ready:
    """The answers that were not told of yet."""

    def __init__(self) -> None:
        self._untold: list[Answered] = []
        self._unsampled = sampled(self.tell)

    def add(self, alike: Alike, request_id: str, came: float, traceparent: bytes | None) -> None:
        """One more was given, to a request that came at a moment of `clock.monotonic`."""
        if not self._untold:
            asyncio.get_running_loop().call_later(LONGEST_WAIT, self.tell)
        self._untold.append((alike, request_id, came, monotonic(), traceparent))

    def tell(self) -> None:
        """Count them, log them, and trace some."""
        answered, self._untold = self._untold, []
        timed, slowest = [], 0.0
        for alike, _, came, ended, _ in answered:
            seconds = alike.timed.seconds
            if not seconds:
                timed.append(alike.timed)
            seconds.append(ended - came)
        for one in timed:
            DURATION.of(one.method, one.route, one.status).add_all(one.seconds)
            slowest = max(slowest, one.seconds[-1])
            one.seconds.clear()
        logs.answered(answered, slowest)
        if traces.on:
            traces.answered(answered)

    def close(self) -> None:
        """Tell what there is; no more comes."""
        self._unsampled()
        self.tell()
