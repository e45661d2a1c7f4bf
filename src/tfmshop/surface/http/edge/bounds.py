"""What a request may be: its size, one proof of who asks, and the id that it may bring along."""

from __future__ import annotations

import re
from typing import Final

from tfmshop.platform import ids
from tfmshop.surface.http.edge.body import Scope
from tfmshop.surface.http.problems import HTTP_CODES, Problem

MOST_HEADERS: Final = 100
HEADER_BYTES: Final = 16 << 10
TARGET_BYTES: Final = 8 << 10
"""Bytes of path and query."""
_GIVEN_ID: Final = re.compile(rb"[A-Za-z0-9_.-]{8,64}")


def unbounded(scope: Scope) -> Problem | None:
    """Refuse an address or headers that are too long."""
    headers = scope["headers"]
    if len(scope["path"]) + len(scope["query_string"]) > TARGET_BYTES:
        return Problem(414, "address_too_long", "Address too long", f"At most {TARGET_BYTES} bytes.")
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        return Problem(
            431, "headers_too_large", "Headers too large", f"At most {MOST_HEADERS}, of {HEADER_BYTES} bytes."
        )
    return None


def ambiguous(scope: Scope, named: dict[bytes, bytes]) -> Problem | None:
    """Two proofs of who asks are refused: each part of a shop would believe another one."""
    if len(named) == len(scope["headers"]) or sum(name == b"authorization" for name, _ in scope["headers"]) < 2:
        return None
    return Problem(400, *HTTP_CODES[400], "There is more than one Authorization header.")


def request_id(given: bytes) -> str:
    """The id that a client gave its request, if it can be one, or a new one."""
    return given.decode() if given and _GIVEN_ID.fullmatch(given) else ids.request_id()
