"""Cursors: where a page ended, as text that clients hand back unread."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from tfmshop.platform import codec
from tfmshop.platform.errors import Kind, ShopError

T = TypeVar("T")

LARGEST = 2**63
AFTER_ALL = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=(1 << 128) - 1))
"""Where a list by time begins whose newest come first."""


class BadCursor(ShopError, kind=Kind.NOT_FOUND, code="bad_cursor", says="The cursor is not one of ours for this list."):
    """The cursor was altered, or belongs to another list or sort."""


def seal(*place: object) -> str:
    """A cursor for `place`: base64url of its JSON."""
    return base64.urlsafe_b64encode(codec.encode(place)).rstrip(b"=").decode()


def unseal(cursor: str, kind: type[T]) -> T:
    """The place in a cursor, as a `kind` (a tuple type). `BadCursor`."""
    try:
        data = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = codec.decode_as(data, kind)
    except (ValueError, codec.Malformed, codec.Unfit):
        raise BadCursor from None
    parts: Any = place
    if not all(_storable(part) for part in parts):
        raise BadCursor
    return place


def moment_and_id(cursor: str) -> tuple[datetime, UUID]:
    """The place in a list by time. `BadCursor`."""
    return unseal(cursor, tuple[datetime, UUID])


def _storable(part: object) -> bool:
    """Whether PostgreSQL can be asked about the value at all."""
    if isinstance(part, str):
        return "\x00" not in part
    if isinstance(part, float):
        return abs(part) < 3.4e38
    if isinstance(part, int):
        return -LARGEST <= part < LARGEST
    if isinstance(part, datetime):
        try:
            return part.tzinfo is not None and part.astimezone(UTC) is not None
        except OverflowError:
            return False
    return True
