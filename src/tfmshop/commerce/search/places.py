"""Where a page of a list ended, and the next one begins."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tfmshop.commerce.search.listing import SORTS
from tfmshop.commerce.search.model import Wanted
from tfmshop.platform import codec, cursors

LONGEST_WORDS: Final = 400
"""Characters of a corrected query: splitting words makes it longer than what may be typed."""
_KINDS: Final[dict[str, type]] = {"timestamptz": datetime, "bigint": int, "real": float, "text": str}


def sort_of(wanted: Wanted) -> str:
    """The order of a list: words by how well they fit, all else the newest first."""
    if wanted.q:
        return wanted.sort or "relevance"
    return "newest" if wanted.sort in (None, "relevance") else wanted.sort


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: its sort, the digest of its filters, the words that were read instead of those typed, the
    sort's value, the id, the total.
    """

    sort: str
    of: int
    words: str | None
    at: Any
    id: UUID
    total: int
    is_exact: bool


def opened(wanted: Wanted) -> Place:
    """The place in the cursor of a list. `BadCursor`."""
    kind: Any = tuple[str, int, str | None, _KINDS[SORTS[sort_of(wanted)][2]], UUID, int, bool]  # type: ignore[misc]
    place = Place(*cursors.unseal(wanted.cursor or "", kind))
    if place.total < 0 or len(place.words or "") > LONGEST_WORDS:
        raise cursors.BadCursor
    return place


def digest(filters: list[str], args: list[Any]) -> int:
    """A checksum of the filters, so that a cursor fits the list that gave it and no other."""
    return zlib.crc32(codec.encode([filters, args])) if filters else 0
