"""One request and its answer: uvicorn's, with the headers checked together, and sent in one piece with the body."""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from tfmshop.surface.http.edge.headers import Headers, lines

_WITHOUT_BODY: Final = {204, 304}


class Cycle(RequestResponseCycle):
    """What the application is called with for one request."""

    _head = b""
    """Written with what comes next."""
    _left: int | None = None
    """Bytes of the body that are due; None where its chunks, or the end of the connection, tell its end."""

    async def run_asgi(self, app: Any) -> None:
        """Call the application; the connection ends where that gave no whole answer."""
        try:
            await super().run_asgi(app)
        finally:
            if not self.response_complete:
                self.transport.close()

    async def send(self, message: Any) -> None:
        """Take a message of the answer (ASGI's `send`). RuntimeError where it breaks the protocol."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"{kind} before the start of the answer")
            self._head = self._begin(message["status"], message.get("headers", []))
            self.response_started, self.waiting_for_100_continue = True, False
            return
        if self.response_complete or kind != "http.response.body":
            raise RuntimeError(f"{kind} after the start or the end of the answer")
        more = message.get("more_body", False)
        piece = self._head + self._framed(message.get("body", b""), more=more)
        self._head = b""
        if piece:
            self.transport.write(piece)
        if not more:
            if self._left:
                raise RuntimeError("the answer is shorter than its content-length")
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _begin(self, status: int, headers: Headers) -> bytes:
        """The first line and the headers, whose names are in lower case."""
        named = dict(headers)
        self.chunked_encoding = self._left = None
        size, closes = named.get(b"content-length"), b"close" in named.get(b"connection", b"").lower()
        self.keep_alive = self.keep_alive and not closes
        whole = [*self.default_headers, *headers]
        if not self.keep_alive and not closes:
            whole.append((b"connection", b"close"))
        if self.scope["method"] == "HEAD" or status in _WITHOUT_BODY:
            self._left = 0
        elif size is not None:
            self._left = int(size)
        elif self.scope["http_version"] != "1.0":
            self.chunked_encoding = True
            whole.append((b"transfer-encoding", b"chunked"))
        head = lines(whole)
        if not head.count(b"\n") == head.count(b"\r") == len(whole) or b"\0" in head:
            raise RuntimeError("a header with a line break in it")
        return STATUS_LINE[status] + head + b"\r\n"

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        """A part of the body as it is sent."""
        if self.scope["method"] == "HEAD":
            return b""
        if not self.chunked_encoding:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0:
                    raise RuntimeError("the answer is longer than its content-length")
            return body
        part = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return part if more else part + b"0\r\n\r\n"
