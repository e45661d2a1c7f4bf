"""One line for each answered request, kept as it is and encoded and written many at a time."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from tfmshop.platform import clock, codec
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe.alike import FAILED, Answered
from tfmshop.platform.observe.files import FILES
from tfmshop.platform.observe.traces import given

MOST_LINES: Final = 500
LONGEST_WAIT: Final = 0.1
"""Seconds after which lines are written, and how many are written together at most."""
MOMENT: Final = 0.001
"""Seconds that one moment stands for."""


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
        """`shown` on standard error; of so many of a hundred requests, and of all that failed."""
        self._shown = shown
        self._part = percent / 100
        self._kept: list[tuple[str, str, int, str, float, float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float, trace_id: str = "") -> None:
        """Add a line. All but its moment can wait: in a row, lines cost a third of what each costs by itself."""
        if self._part < 1 and status < FAILED and random.random() >= self._part:  # noqa: S311 - a sample, no secret
            return
        self._kept.append((method, path, status, request_id, seconds, monotonic(), trace_id))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.flush)
        elif len(self._kept) >= MOST_LINES:
            self.flush()

    def note_all(self, answers: Sequence[Answered]) -> None:
        """Add and write lines of answers that were given at once."""
        if self._part < 1:
            answers = [
                one
                for one in answers
                if one[0].status >= FAILED or random.random() < self._part  # noqa: S311 - a sample
            ]
        moment, latest = clock.now(), 0.0
        began, lines = moment.timestamp() - monotonic(), []
        for alike, id, came, ended, parent in answers:
            if ended > latest:
                latest, moment = ended + MOMENT, datetime.fromtimestamp(began + ended, UTC)
            line = _Line(moment, "GET", alike.path, alike.status, id, int(1e9 * (ended - came)))
            if parent:
                line.trace_id = given(parent)
            lines.append(line)
        self._write(lines)

    def flush(self) -> None:
        """Write what waits, each line whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kept, self._kept = self._kept, []
        moment, lines, latest = clock.now(), [], -1
        began = moment.timestamp() - monotonic()
        for method, path, status, id, seconds, at, trace in kept:
            if (milliseconds := int(1000 * (began + at))) != latest:
                latest, moment = milliseconds, datetime.fromtimestamp(milliseconds / 1000, UTC)
            lines.append(_Line(moment, method, path, status, id, int(1e9 * seconds), trace))
        self._write(lines)

    def _write(self, lines: list[_Line]) -> None:
        for day, of_day in _by_day(lines):
            content = codec.encode_lines(of_day)
            FILES.write("access", day, content)
            if self._shown:
                with suppress(OSError):
                    _write(content)


def _by_day(lines: list[_Line]) -> Iterator[tuple[date, list[_Line]]]:
    """Lines in the order of their moments, by day: nearly always one."""
    while lines:
        day = lines[0].timestamp.date()
        of_day = lines if lines[-1].timestamp.date() == day else [one for one in lines if one.timestamp.date() == day]
        yield day, of_day
        lines = lines[len(of_day) :]


def _write(content: bytes) -> None:
    sys.stderr.flush()
    while content:
        content = content[os.write(sys.stderr.fileno(), content) :]
