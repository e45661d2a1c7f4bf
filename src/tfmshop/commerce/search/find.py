"""Finding products by words: ranked full text with phrases ("...") and exclusion (-word)."""

from __future__ import annotations

import html
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce import catalog
from tfmshop.commerce.search.store import FIND, SUGGEST
from tfmshop.platform import cursors
from tfmshop.platform.db import Row, Tx

_TOP: Final = (3.0e38, UUID(int=(1 << 128) - 1))


class Hit(catalog.Item, frozen=True):
    """A product that was found; `highlight` is its title as HTML with the found words in <em>."""

    highlight: str


class Hits(msgspec.Struct, frozen=True):
    """A page of what was found, best first."""

    items: list[Hit]
    next_cursor: str | None
    total: int
    total_is_exact: bool


class Suggestion(msgspec.Struct, frozen=True):
    """A product whose title has what was typed."""

    slug: str
    title: str


async def find(tx: Tx, words: str, *, cursor: str | None, limit: int) -> Hits:
    """Products on sale that have all of `words`, in one statement. `BadCursor`."""
    rank, id = cursors.unseal(cursor, tuple[float, UUID]) if cursor else _TOP
    rows = await tx.rows(FIND, words, rank, id, limit + 1)
    total = rows[0]["total"]
    found = [row for row in rows if row["id"] is not None]
    more = cursors.seal(found[limit - 1]["rank"], found[limit - 1]["id"]) if len(found) > limit else None
    return Hits([_hit(row) for row in found[:limit]], more, total, True)


async def suggest(tx: Tx, typed: str) -> list[Suggestion]:
    """Up to 10 products whose title contains what was typed, popular ones first."""
    pattern = typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [Suggestion(*row) for row in await tx.rows(SUGGEST, pattern)]


def _hit(row: Row) -> Hit:
    marked = html.escape(row[16], quote=False).replace("&lt;em&gt;", "<em>").replace("&lt;/em&gt;", "</em>")
    return Hit.of(row[2:16], marked)
