"""One line for each answered request, kept as it is and encoded and written many at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from datetime import datetime
from typing import Final

import msgspec

from tfmshop.platform import clock, codec

MOST_LINES: Final = 500
LONGEST_WAIT: Final = 0.1
"""Seconds after which lines are written, and how many are written together at most."""


class _Line(msgspec.Struct, gc=False, rename={"timestamp": "@timestamp", "level": "log.level"}):
    method: str
    path: str
    status: int
    request_id: str
    milliseconds: float
    timestamp: datetime
    level: str = "info"
    message: str = "request"


class AccessLog:
    """Lines of JSON with ECS names on standard error. What waits is written at the end; a kill loses what waits."""

    def __init__(self) -> None:
        self._kept: list[_Line] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float) -> None:
        """Add a line. Encoding it can wait: in a row, lines cost a third of what each costs by itself."""
        self._kept.append(_Line(method, path, status, request_id, round(seconds * 1000, 2), clock.now()))
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
        with suppress(OSError):
            _write(codec.encode_lines(kept))


def _write(content: bytes) -> None:
    sys.stderr.flush()
    while content:
        content = content[os.write(sys.stderr.fileno(), content) :]
