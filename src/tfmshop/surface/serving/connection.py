"""A connection of a client: uvicorn's, that asks the application first whether the answer is there already, and that
does not wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import unquote

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tfmshop.platform.clock import monotonic
from tfmshop.surface.http.edge.headers import lines
from tfmshop.surface.serving.cycle import Cycle
from tfmshop.surface.serving.sockets import CONNECTIONS

HEAD_SECONDS: Final = 10
"""How long the headers of a request may take to come, from its first byte, or from the beginning of the connection."""
IDLE_SECONDS: Final = 75
"""How long a connection may wait for its next request: longer than proxies keep theirs."""
HEAD_BYTES: Final = 64 << 10
"""Bytes of headers, or of what comes after a body, that are not whole yet. Which headers are too large when they are is
for the application to say.
"""
AT_ONCE_BYTES: Final = 8 << 10
"""Bytes that come together with a request that is answered at once at most."""
MOST_WAITING: Final = 100
"""Requests that wait in a connection for the answer to another."""
_MALFORMED: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

log = structlog.get_logger("serve")


class _Unfit(Exception):
    """A request that is well formed, and refused all the same."""


class AtOnce(Protocol):
    """An ASGI application that has some answers ready."""

    def at_once(
        self, target: bytes, headers: list[tuple[bytes, bytes]], peer: str, write: Callable[[bytes], object]
    ) -> bool:
        """Write the answer to a GET without a body; False: the application must be called."""


class Connection(HttpToolsProtocol):
    """One connection of a worker, which holds `most` at most."""

    most = CONNECTIONS
    cycle: Cycle | None  # type: ignore[assignment]
    """The newest request that the application is called for, and its answer."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._ends = monotonic() + HEAD_SECONDS
        """When the connection is closed unless something comes."""
        self._left = 0
        """Bytes that the client had not taken when that was last looked at."""
        self._coming, self._came = False, 0
        """Whether the headers of a request are coming, and how many bytes came with them."""
        self._answered = False
        """Whether the request was answered at once."""
        self._running: Cycle | None = None
        """The request that is being answered."""
        application: AtOnce = self.app
        self._at_once = application.at_once

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        if len(self.connections) > self.most:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read what came. What is no HTTP ends the connection."""
        left: bytes | None = data
        while left is not None:
            left = self._read(left)

    def _read(self, data: bytes) -> bytes | None:
        """Read a piece; what is to be read after it, where there was a wish for another protocol."""
        self._piece = len(data)
        self._came += self._piece
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            why = error.__context__
            if why is not None and not isinstance(why, _Unfit | UnicodeDecodeError | httptools.HttpParserError):
                log.error("unhandled error", exc_info=why)
            self.send_400_response()
        except httptools.HttpParserError:
            self.send_400_response()
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade(data[upgrade.args[0] :])
        else:
            if self._coming and not self._came:  # of what came before them in the same piece, they have no part
                self._ends, self._came = monotonic() + HEAD_SECONDS, len(data) - data.rfind(b"\n") - 1
            if self._came > HEAD_BYTES:
                self.send_400_response()
        return None

    def _without_upgrade(self, rest: bytes) -> bytes | None:
        """The request again without its wish for another protocol, which the parser ends with; and what follows."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response()
            return None
        kept = lines([pair for pair in self.headers if pair[0] != b"upgrade"])
        first = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return first + kept + b"\r\n" + rest

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what comes after a body belongs to no request."""
        if self._coming:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._came = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """The first byte of a request; what the application needs of it is made when it is called."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._coming, self._came = True, 0

    def on_headers_complete(self) -> None:
        """Answer at once where nothing is before it and the answer is there; or begin with it."""
        parser = self.parser
        if parser.should_upgrade():
            return
        first_piece, self._coming, self._came = not self._came, False, 0
        self._answered = (
            first_piece
            and self._piece <= AT_ONCE_BYTES
            and parser.get_method() == b"GET"
            and (self.cycle is None or self.cycle.response_complete)
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not self.flow.write_paused
            and self._at_once(self.url, self.headers, self._peer, self.transport.write)
        )
        if self._answered:
            self._ends = monotonic() + IDLE_SECONDS
            return
        if any(name == b"transfer-encoding" and value.lower() != b"chunked" for name, value in self.headers):
            raise _Unfit("a body that another server could read otherwise")
        self._call()

    def _call(self) -> None:
        """Call the application, once what was asked for before is answered."""
        parser, before = self.parser, self.cycle
        version, target = parser.get_http_version(), httptools.parse_url(self.url)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        self.scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": version,
            "method": parser.get_method().decode("ascii"), "scheme": "http", "server": self.server,
            "client": self.client, "root_path": "", "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path, "query_string": target.query or b"", "headers": self.headers,
            "state": self.app_state.copy(),
        }  # fmt: skip
        self.cycle = Cycle(
            self.scope, self.transport, self.flow, self.logger, self.access_logger, False,
            self.server_state.default_headers, asyncio.Event(), self.expect_100_continue,
            version != "1.0" and parser.should_keep_alive(), self.on_response_complete,
        )  # fmt: skip
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        elif len(self.pipeline) >= MOST_WAITING:
            self.cycle = before
            raise _Unfit("too many requests wait")
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Call the application."""
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over: who is answering hears of it, and nobody waits any more."""
        super().connection_lost(exc)
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self.parser.should_upgrade():
            return
        self._came = 0
        if self._answered:
            return
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self.cycle.more_body = False
            self._ends = monotonic() + IDLE_SECONDS

    def on_response_complete(self) -> None:
        """The last byte of an answer; what still comes of its request is not waited for long."""
        if not self._coming:
            whole = self.cycle is None or not self.cycle.more_body
            self._ends = monotonic() + (IDLE_SECONDS if whole else HEAD_SECONDS)
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
        self._unset_keepalive_if_required()  # `end_in_time` does that

    def send_400_response(self, _: str = "") -> None:
        """Tell that it was no HTTP, once what was asked for before is answered; the connection ends."""
        cycle = self.cycle
        its_body = cycle is not None and cycle.more_body and not cycle.response_started and not self.pipeline
        if cycle is None or cycle.response_complete or its_body:
            if cycle is None or its_body or not cycle.more_body:  # or else it was answered
                self.transport.write(_MALFORMED)
            self.transport.close()
        else:
            cycle.keep_alive = False
            if cycle.more_body:  # of which nothing more comes
                cycle.disconnected = True
                cycle.message_event.set()
            self.flow.pause_reading()

    def end_in_time(self, now: float, *, hurry: bool = False) -> None:
        """Close a connection whose time is over, and cut off one whose client does not take what it was sent, sooner
        where there is a `hurry`.
        """
        transport = self.transport
        closing, left = transport.is_closing(), transport.get_write_buffer_size()
        works = self.cycle is not None and not self.cycle.response_complete and not closing
        if works and not left:
            self._left = 0
            return
        if hurry and not works:
            self._ends = min(self._ends, now + HEAD_SECONDS)
        if left != self._left:
            self._left = left
            self._ends = now + (HEAD_SECONDS if hurry else IDLE_SECONDS)
        elif now > self._ends:
            self._ends = now + HEAD_SECONDS
            if closing or left:
                transport.abort()
            else:
                transport.close()
