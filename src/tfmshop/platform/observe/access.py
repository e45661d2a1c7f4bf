"""One line for each answered request, kept as it is and encoded and written many at a time."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

import msgspec

from tfmshop.platform import clock, codec
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe.files import FILES

MOST_LINES: Final = 500
LONGEST_WAIT: Final = 0.1
"""Seconds after which lines are written, and how many are written together at most."""
ALWAYS: Final = 500
"""From this status on every request is shown, whatever part of them is."""


class _Line(
    msgspec.Struct, gc=False, omit_defaults=True,
    rename={"timestamp": "@timestamp", "level": "log.level", "method": "http.request.method", "path": "url.path",
            "status": "http.response.status_code", "request_id": "http.request.id", "duration": "event.duration",
            "trace_id": "trace.id"},
):  # fmt: skip
    timestamp: datetime
    method: str
    path: str
    status: int
    request_id: str
    duration: int
    trace_id: str = ""


class AccessLog:
    """Lines of JSON with ECS names (`event.duration` in ns), on standard error, in the file of their day, or both. What
    waits is written at the end; a kill loses what waits.
    """

    def __init__(self, *, shown: bool, percent: int = 100) -> None:
        """`shown` on standard error; of so many of a hundred requests."""
        self._shown = shown
        self._part = percent / 100
        self._kept: list[tuple[str, str, int, str, float, float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float, trace_id: str = "") -> None:
        """Add a line. All but its moment can wait: in a row, lines cost a third of what each costs by itself."""
        if self._part < 1 and status < ALWAYS and random.random() >= self._part:  # noqa: S311 - a sample, no secret
            return
        self._kept.append((method, path, status, request_id, seconds, monotonic(), trace_id))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.flush)
        elif len(self._kept) >= MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what waits, each line whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kept, self._kept = self._kept, []
        began = clock.now().timestamp() - monotonic()
        lines = [
            _Line(datetime.fromtimestamp(began + at, UTC), method, path, status, id, int(1e9 * seconds), trace)
            for method, path, status, id, seconds, at, trace in kept
        ]
        for day, of_day in groupby(lines, key=_day):
            content = codec.encode_lines(list(of_day))
            FILES.write("access", day, content)
            if self._shown:
                with suppress(OSError):
                    _write(content)


def _day(line: _Line) -> date:
    return line.timestamp.date()


def _write(content: bytes) -> None:
    sys.stderr.flush()
    while content:
        content = content[os.write(sys.stderr.fileno(), content) :]
