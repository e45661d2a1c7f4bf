"""Very many requests at little cost: each sent at its moment, on a connection that is free or new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

Heard = Callable[[int, float], None]
"""Told the status of an answer, and the milliseconds that it took."""


class Crowd:
    """Connections to one server."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._address = (parts.hostname, parts.port)
        self._free: list[_Line] = []
        self._busy: set[_Line] = set()
        self._opening: set[asyncio.Task[None]] = set()

    async def open(self, connections: int) -> None:
        """Open connections beforehand."""
        self._free += [await self._line() for _ in range(connections)]

    def ask(self, request: bytes, heard: Heard) -> None:
        """Send a request now."""
        started = perf_counter()
        while self._free:
            line = self._free.pop()
            if line.is_open:
                self._send(line, request, heard, started)
                return
        opening = asyncio.get_running_loop().create_task(self._ask_anew(request, heard, started))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def close(self, patience_seconds: float) -> None:
        """Wait for the answers that are due, and hang up."""
        until = perf_counter() + patience_seconds
        while (self._busy or self._opening) and perf_counter() < until:  # noqa: ASYNC110 - answers come one by one
            await asyncio.sleep(0.05)
        for line in [*self._free, *self._busy]:
            line.transport.close()

    async def _line(self) -> _Line:
        _, line = await asyncio.get_running_loop().create_connection(_Line, *self._address)
        return line

    async def _ask_anew(self, request: bytes, heard: Heard, started: float) -> None:
        self._send(await self._line(), request, heard, started)

    def _send(self, line: _Line, request: bytes, heard: Heard, started: float) -> None:
        def done(status: int) -> None:
            heard(status, (perf_counter() - started) * 1000)
            self._busy.discard(line)
            self._free.append(line)

        self._busy.add(line)
        line.done = done
        line.transport.write(request)


class _Line(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self) -> None:
        self._read = b""
        self.is_open = True
        self.done: Callable[[int], None] = lambda _: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._read = b""
            self.done(int(head[9:12]))
