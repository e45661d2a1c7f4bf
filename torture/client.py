"""A small HTTP/1.1 client for very many requests at once: connections that stay open, taken in turn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tfmshop.platform import codec

LONGEST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop said."""

    status: int
    body: bytes
    names: tuple[str, ...] = ()
    """Its headers, by name."""
    is_last: bool = False
    """Whether the connection ends with it."""

    def json(self) -> Any:
        """The body as a value."""
        return codec.decode(self.body)

    @property
    def kind(self) -> str:
        """The status, and the code of a problem: `201`, `409 out_of_stock`."""
        return f"{self.status}" if self.status < 400 else f"{self.status} {self.json().get('code')}"


class Client:
    """So many connections to one server; a request waits for a free one as long as it takes."""

    def __init__(self, base: str, connections: int) -> None:
        parts = urlsplit(base)
        self._host, self._port = str(parts.hostname), parts.port or 80
        self._free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._free.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                connection[1].close()

    def request(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST", base: str = "/api/v1"
    ) -> bytes:
        """The bytes of a request."""
        fields: dict[str, object] = {"Host": self._host}
        if body or method != "GET":
            fields |= {"Content-Type": "application/json", "Content-Length": len(body)}
        fields |= headers
        lines = [f"{method} {base}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def post(self, path: str, body: object, headers: dict[str, str]) -> Answer:
        """One POST of a value as JSON. OSError when the connection breaks."""
        return await self.send(path, codec.encode(body), headers)

    async def send(
        self, path: str, body: bytes, headers: dict[str, str], method: str = "POST", base: str = "/api/v1"
    ) -> Answer:
        """One request with a body of bytes. OSError when the connection breaks; one that the shop closed because it was
        not used for a while is made anew, as browsers do.
        """
        connection = await self._free.get()
        try:
            if connection is not None and connection[0].at_eof():
                connection[1].close()
                connection = None
            if connection is None:
                connection = await asyncio.open_connection(self._host, self._port)
            async with asyncio.timeout(LONGEST_SECONDS):
                answer = await self._exchange(*connection, self.request(path, body, headers, method, base))
            if answer.is_last:
                connection[1].close()
                connection = None
        except BaseException:
            if connection is not None:
                connection[1].close()
            connection = None
            raise
        finally:
            self._free.put_nowait(connection)
        return answer

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> Answer:
        writer.write(sent)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("no answer") from error
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        names = tuple(sorted(fields))
        if sent.startswith(b"HEAD "):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(fields.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), body, names, fields.get("connection") == "close")


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A body whose length nobody knew when it began."""
    parts = []
    while size := int((await reader.readuntil(b"\r\n")), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)
