"""A program that is told of something by HTTP, on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tfmshop.platform import codec


class Receiver:
    """It answers with `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 204

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((headers, body))
        where = "Location: http://127.0.0.1:1/\r\n" if 300 <= self.status < 400 else ""
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n{where}Connection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def topics(self) -> list[str]:
        """Of what it heard, as the shop's webhooks have it."""
        return [codec.decode(body)["type"] for _, body in self.heard]


@asynccontextmanager
async def listening(path: str) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    one = Receiver()
    server = await asyncio.start_server(one, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"
    yield one
    server.close()
