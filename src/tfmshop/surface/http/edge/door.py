"""The edge: request id, body bound, security headers, ETag and 304, and one access event, in one pass.

It is a plain ASGI callable around the framework, so that what it does costs microseconds and applies to every
response, the framework's own errors included.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from zlib import adler32, crc32

import structlog

from tfmshop.platform import ids
from tfmshop.platform.clock import monotonic
from tfmshop.surface.http.edge.headers import API, NO_STORE, OWN_POLICY, PAGES, PICTURES, Headers
from tfmshop.surface.http.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 1 << 20
"""Bytes of a request body; the API's own bodies are far below."""
LARGEST_PICTURE = 12 << 20
_GIVEN_ID = re.compile(rb"[A-Za-z0-9_.-]{8,64}")
_NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")

log = structlog.get_logger("http")

_OF_THE_BODY = {b"content-length", b"content-type"}
_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}


class Edge:
    """Wraps the framework's ASGI application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (or pass lifespan events through)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = monotonic()
        exit = _Exit(scope, send, _request_id(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = exit.request_id
        body: bytes | Problem | None = b""
        if scope["method"] in _WITH_BODY:
            body = await _read(receive, LARGEST_PICTURE if _is_picture(scope) else LARGEST_BODY)
            receive = _replay(body, receive) if isinstance(body, bytes) else receive
        if body is None:
            return
        if isinstance(body, Problem):
            await exit.refuse(body)
        elif _has_nul(scope, b"" if _is_picture(scope) else body):
            await exit.refuse(
                Problem(422, "invalid_text", "Invalid request", "Text must not contain the NUL character.")
            )
        else:
            await self._app(scope, receive, exit.send)
        log.log(
            15, "request", method=scope["method"], path=scope["path"], status=exit.status, request_id=exit.request_id,
            milliseconds=round((monotonic() - started) * 1000, 2),
        )  # fmt: skip


class _Exit:
    """What happens to a response on its way out."""

    __slots__ = ("_scope", "_send", "_start", "request_id", "status")

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self.request_id = request_id
        self.status = 500

    async def send(self, message: Message) -> None:
        """Add headers to the start; give a whole body an ETag, and answer 304 when the client has it."""
        start = self._start
        if start is None and message["type"] == "http.response.start":
            self._start = message
            self.status = message["status"]
            return
        if start is not None:
            self._start = None
            given = start.get("headers", ())
            headers = [*given, (b"x-request-id", self.request_id.encode()), *self._standing(given)]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(NO_STORE)
            start["headers"] = headers
            if self.status == 200 and self._scope["method"] == "GET" and not message.get("more_body"):
                message = self._tag(start, message)
            await self._send(start)
        await self._send(message)

    def _standing(self, given: Headers) -> Headers:
        """The headers of every answer; pictures may be shown by other sites, and pages have forms."""
        if self.status == 200 and self._scope["path"].startswith("/api/v1/media/"):
            return PICTURES
        if any(value.startswith(b"text/html") for name, value in given if name == b"content-type"):
            return OWN_POLICY if any(name == b"content-security-policy" for name, _ in given) else PAGES
        return API

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem before the framework is asked."""
        body = problem.encode(self.request_id)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def _tag(self, start: Message, message: Message) -> Message:
        body = message.get("body", b"")
        tag = b'"%x-%08x%08x"' % (len(body), crc32(body), adler32(body))
        start["headers"].append((b"etag", tag))
        for name, value in self._scope["headers"]:
            if name == b"if-none-match" and (value == b"*" or tag in _tags(value)):
                start["status"] = self.status = 304
                start["headers"] = [pair for pair in start["headers"] if pair[0] not in _OF_THE_BODY]
                return {"type": "http.response.body", "body": b"", "more_body": False}
        return message


def _tags(header: bytes) -> list[bytes]:
    """The tags of an If-None-Match, weak or strong."""
    return [one.strip().removeprefix(b"W/") for one in header.split(b",")]


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
            return value.decode()
    return ids.request_id()


def _is_picture(scope: Scope) -> bool:
    """Whether staff send a picture: the only bodies that are not text, and may be large."""
    path: str = scope["path"]
    return path.startswith("/api/v1/admin/") and path.endswith("/pictures")


async def _read(receive: Receive, largest: int) -> bytes | Problem | None:
    """The whole body; None when the client went away before its end."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > largest:
            return Problem(413, "body_too_large", "Body too large", f"A body has at most {largest} bytes.")
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _has_nul(scope: Scope, body: bytes) -> bool:
    query = scope["query_string"]
    return (
        "\x00" in scope["path"] or b"%00" in query or ((b"0000" in body or b"\x00" in body) and bool(_NUL.search(body)))
    )
