"""One line for each answered request, encoded at once and written many at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Final

from tfmshop.platform import clock, codec

MOST_LINES: Final = 500
LONGEST_WAIT: Final = 0.1
"""Seconds after which lines are written, and how many are written together at most."""
MOST_PATHS: Final = 10_000
LONGEST_PATH: Final = 256
"""How many paths are remembered as JSON, and up to how many characters."""


class AccessLog:
    """Lines of JSON with ECS names on standard error. What waits is written at the end; a kill loses what waits."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._second, self._until_second = 0, ""

    def note(self, method: str, path: str, status: int, request_id: str, seconds: float) -> None:
        """Add a line."""
        where = self._paths.get(path) or self._known(path)
        self._lines.append(
            f'{{"method":"{method}","path":{where},"status":{status},"request_id":"{request_id}","milliseconds":'
            f'{int(seconds * 100_000) / 100},"@timestamp":"{self._moment()}Z",'
            '"log.level":"info","message":"request"}\n'
        )
        if len(self._lines) >= MOST_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.flush)

    def flush(self) -> None:
        """Write what waits, each line whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            with suppress(OSError):
                _write("".join(lines).encode())

    def _moment(self) -> str:
        """The present moment in UTC, whose part down to the second is written once a second."""
        now = clock.now()
        second = int(now.timestamp())
        if second != self._second:
            self._second, self._until_second = second, now.isoformat(timespec="seconds")[:19]
        return f"{self._until_second}.{now.microsecond:06}"

    def _known(self, path: str) -> str:
        """A path as JSON, remembered: most are asked for again."""
        found = codec.encode_text(path)
        if len(path) <= LONGEST_PATH:
            if len(self._paths) >= MOST_PATHS:
                self._paths.clear()
            self._paths[path] = found
        return found


def _write(content: bytes) -> None:
    sys.stderr.flush()
    while content:
        content = content[os.write(sys.stderr.fileno(), content) :]
