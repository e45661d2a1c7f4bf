"""One line for each answered request, kept as it is and encoded and written many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from tfmshop.platform import clock, codec
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import stderr
from tfmshop.platform.observe.alike import FAILED, Answered
from tfmshop.platform.observe.files import FILES
from tfmshop.platform.observe.metrics import Counter
from tfmshop.platform.observe.traces import given

MOST_LINES: Final = 500
LONGEST_WAIT: Final = 0.1
"""Seconds after which lines are written, and how many are written together at most."""
MOMENT: Final = 0.001
"""Seconds that one moment stands for."""
EACH: Final = 1_000_000
"""Lines a second that no process reaches: each request has its own."""
LEFT_OUT: Final = Counter(
    "tfmshop_access_lines_left_out_total", "Requests without a line in the access log: they came too fast."
)


class _Line(
    msgspec.Struct, gc=False, omit_defaults=True,
    rename={"timestamp": "@timestamp", "level": "log.level", "method": "http.request.method", "path": "url.path",
            "status": "http.response.status_code", "request_id": "http.request.id", "duration": "event.duration",
            "trace_id": "trace.id", "unlogged": "tfmshop.unlogged"},
):  # fmt: skip
    timestamp: datetime
    method: str
    path: str
    status: int
    request_id: str
    duration: int
    trace_id: str = ""
    unlogged: int = 0
    """Requests of this process before it that have no line, and are in no other gap."""


class _Room:
    """Room for so many lines a second, and after a rest for those of one second more."""

    __slots__ = ("_left", "_measured", "_rate", "unlogged")

    def __init__(self, rate: int) -> None:
        self._rate, self._left, self._measured = rate, float(rate), monotonic()
        self.unlogged = 0
        """Requests since the last line that have none."""

    def left(self) -> int:
        """How many lines there is room for now."""
        now = monotonic()
        self._left = min(self._rate, self._left + self._rate * (now - self._measured))
        self._measured = now
        return int(self._left)

    def take_one(self) -> bool:
        """Take room for one request; whether there is any, and it is not left out."""
        has_room = self._left >= 1 or self.left() >= 1
        self.take(has_room, 1)
        return has_room

    def take(self, lined: int, count: int) -> None:
        """So many lines are written, of so many requests; the others are left out."""
        self._left -= lined
        if lined < count:
            self.unlogged += count - lined
            LEFT_OUT.of().add(count - lined)

    def gap(self) -> int:
        """How many have none, for the line that comes now."""
        unlogged, self.unlogged = self.unlogged, 0
        return unlogged


class AccessLog:
    """Lines of JSON with ECS names (`event.duration` in ns), on standard error, in the file of their day, or both. What
    waits is written at the end; a kill loses what waits.
    """

    def __init__(self, *, shown: bool, rate: int = EACH) -> None:
        """`shown` on standard error; so many lines a second of answers that were given at once, and of all others."""
        self._shown = shown
        self._room, self._room_at_once = _Room(rate), _Room(rate)
        self._kept: list[tuple[str, str, int, str, float, float, str, int]] = []
        self._kept_at_once: list[tuple[Answered, int]] = []
        """With each, how many before it have no line."""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float, trace_id: str = "") -> None:
        """Add a line; always, if the request failed. All but its moment can wait: in a row, lines cost a third of what
        each costs by itself.
        """
        if status < FAILED and not self._room.take_one():
            return
        self._kept.append((method, path, status, request_id, seconds, monotonic(), trace_id, self._room.gap()))
        self._flush_soon(len(self._kept))

    def room_at_once(self) -> int:
        """How many answers that are given at once may have a line from now on."""
        return self._room_at_once.left()

    def note_all(self, told: Sequence[Answered], count: int) -> None:
        """Add lines of so many answers that were given at once; of some of `told`, in their order, where there is no
        room for more. What failed among them is who was turned away, for whom there is none either.
        """
        room = self._room_at_once
        lined = told[: room.left()]
        if lined:
            self._kept_at_once.append((lined[0], room.gap()))
            self._kept_at_once += [(answer, 0) for answer in lined[1:]]
            self._flush_soon(len(self._kept_at_once))
        room.take(len(lined), count)

    def _flush_soon(self, kept: int) -> None:
        if kept >= MOST_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.flush)

    def flush(self) -> None:
        """Write what waits, each line whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kept, self._kept = self._kept, []
        at_once, self._kept_at_once = self._kept_at_once, []
        lines = _lines(at_once)
        moment, latest = clock.now(), -1
        began = moment.timestamp() - monotonic()
        for method, path, status, id, seconds, at, trace, unlogged in kept:
            if (milliseconds := int(1000 * (began + at))) != latest:
                latest, moment = milliseconds, datetime.fromtimestamp(milliseconds / 1000, UTC)
            lines.append(_Line(moment, method, path, status, id, int(1e9 * seconds), trace, unlogged))
        if kept and at_once:
            lines.sort(key=lambda line: line.timestamp)
        self._write(lines)

    def _write(self, lines: list[_Line]) -> None:
        for day, of_day in _by_day(lines):
            content = codec.encode_lines(of_day)
            FILES.write("access", day, content)
            if self._shown:
                stderr.write(content)


def _lines(answers: Sequence[tuple[Answered, int]]) -> list[_Line]:
    moment, latest = clock.now(), 0.0
    began, lines = moment.timestamp() - monotonic(), []
    for (alike, id, came, ended, parent), unlogged in answers:
        if ended > latest:
            latest, moment = ended + MOMENT, datetime.fromtimestamp(began + ended, UTC)
        line = _Line(moment, alike.method, alike.path, alike.status, id, int(1e9 * (ended - came)), unlogged=unlogged)
        if parent:
            line.trace_id = given(parent)
        lines.append(line)
    return lines


def _by_day(lines: list[_Line]) -> Iterator[tuple[date, list[_Line]]]:
    """Lines in the order of their moments, by day: nearly always one."""
    while lines:
        day = lines[0].timestamp.date()
        of_day = lines if lines[-1].timestamp.date() == day else [one for one in lines if one.timestamp.date() == day]
        yield day, of_day
        lines = lines[len(of_day) :]
