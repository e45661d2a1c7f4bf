"""The body of a request: read whole, within bounds of size and time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tfmshop.surface.http.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST: Final = 1 << 20
"""Bytes of a request body; the API's own bodies are far below."""
LARGEST_FILE: Final = 12 << 20
MOST_HELD: Final = 128 << 20
"""Bytes of bodies that come at the same moment, in a process."""
SECONDS: Final = 10
"""How long a body may take to come; a file, twice that."""
_NUL: Final = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")


class Gone(Exception):
    """The client went away before the end of its body."""


async def read(receive: Receive, *, large: bool) -> bytes | Problem:
    """The whole body, or what is wrong with it; `large` ones are for who is signed in. `Gone`."""
    largest, seconds = (LARGEST_FILE, 2 * SECONDS) if large else (LARGEST, SECONDS)
    try:
        async with asyncio.timeout(seconds):
            body = await _all(receive, largest)
    except TimeoutError:
        return Problem(408, "body_too_slow", "Body too slow", f"A body must come within {seconds} seconds.")
    except _TooMuch:
        return Problem(503, "overloaded", "Unavailable", "Too many bodies come at once. Try again in a moment.")
    if body is None:
        return Problem(413, "body_too_large", "Body too large", f"A body has at most {largest} bytes.")
    return body


class _TooMuch(Exception):
    """Bodies that come at the same moment are too large together."""


class _Held:
    """Bytes of bodies that are not whole yet, in this process."""

    bytes = 0


async def _all(receive: Receive, largest: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    more = True
    try:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            _Held.bytes += len(parts[-1])
            more = message.get("more_body", False)
            if size > largest:
                return None
            if more and _Held.bytes > MOST_HELD:
                raise _TooMuch
    finally:
        _Held.bytes -= size
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Give the framework the body that was read."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def has_nul(scope: Scope, body: bytes) -> bool:
    """Whether a NUL character, which PostgreSQL's text cannot hold, is anywhere in the request."""
    query = scope["query_string"]
    return (
        "\x00" in scope["path"] or b"%00" in query or ((b"0000" in body or b"\x00" in body) and bool(_NUL.search(body)))
    )
