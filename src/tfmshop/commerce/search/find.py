"""Lists of products: filtered, sorted, searched, a page at a time."""

from __future__ import annotations

import html
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tfmshop.commerce.search.correct import corrected
from tfmshop.commerce.search.errors import PageTooDeep
from tfmshop.commerce.search.facets import facets
from tfmshop.commerce.search.listing import LIST_PRODUCTS, SORTS, strategy
from tfmshop.commerce.search.model import DEEPEST_PAGE, Hit, Listing, Wanted
from tfmshop.commerce.search.store import NOTE_MISSED
from tfmshop.commerce.vocabulary import same_name
from tfmshop.platform import codec, cursors, ids
from tfmshop.platform.db import Row, Tx

Conditions = tuple[list[str], list[Any]]
Total = tuple[int, bool]
LONGEST_WORDS: Final = 400
"""Characters of a corrected query: splitting words makes it longer than what may be typed."""


async def find(tx: Tx, wanted: Wanted) -> Listing:
    """A page of products on sale: one statement, and one more for facets. `BadCursor`, `PageTooDeep`.

    Words that find nothing are corrected and tried once more; words that still find nothing are noted for staff.
    """
    typed = wanted
    listing, found = await _page(tx, wanted, typed)
    words = wanted.q
    if words and not found and wanted.cursor is None:
        better = await corrected(tx, words)
        if better is not None:
            closer, found = await _page(tx, replace(wanted, q=better), typed)
            if found:
                wanted = replace(wanted, q=better)
                listing = msgspec.structs.replace(closer, corrected=better)
        noted = " ".join(words.lower().split())[:100]
        if noted and not found and not listing.items and conditions(typed)[0] == ["words"]:
            await tx.execute(NOTE_MISSED, noted)
    if wanted.facets:
        listing = msgspec.structs.replace(listing, facets=await facets(tx, wanted, *conditions(wanted)))
    return listing


async def _page(tx: Tx, wanted: Wanted, typed: Wanted) -> tuple[Listing, bool]:
    """The page, and whether anything has all the words. Its cursor is for the list that was typed."""
    sort = wanted.sort or ("relevance" if wanted.q else "newest")
    if sort == "relevance" and not wanted.q:
        sort = "newest"
    of = _digest(*conditions(typed))
    place: _Place | None = None
    if wanted.cursor is not None:
        place = _opened(wanted.cursor, sort, of)
        wanted = replace(wanted, q=place.words or wanted.q)
    filters, args = conditions(wanted)
    how = strategy(sort, filters)
    ending: list[str] = []
    if place is not None:
        ending = ["after", "known"]
        args = [*args, place.at, place.id]
    elif wanted.page is not None and wanted.page > 1:
        offset = (wanted.page - 1) * wanted.limit
        if offset + wanted.limit > DEEPEST_PAGE:
            raise PageTooDeep(DEEPEST_PAGE)
        ending = ["offset"]
        args = [*args, offset]
    if wanted.exact_count and place is None and how != "ranked":
        ending.append("count_exact")
    if wanted.highlight:
        ending.append("highlight")
    rows = await tx.rows(LIST_PRODUCTS.of((sort, *filters, how, *ending)), *args, wanted.limit + 1)
    total = (place.total, place.is_exact) if place else (rows[0][0], rows[0][1])
    found = not rows[0][2] and total[0] > 0 if rows else False
    words = wanted.q if wanted.q != typed.q else None
    return _listing(rows, (sort, of, words), wanted.limit, total, _hit if wanted.highlight else Hit.of), found


def conditions(wanted: Wanted) -> Conditions:
    """The filters of a list, in the order of the SQL, and their parameters."""
    filters: list[str] = []
    args: list[Any] = []

    def add(word: str, *values: object) -> None:
        filters.append(word)
        args.extend(values)

    if wanted.category is not None:
        id = ids.parse(wanted.category)
        add("category", None if id else wanted.category, id)
    if wanted.brand is not None:
        add("brand", same_name(wanted.brand))
    if wanted.min_price is not None:
        add("min_price", wanted.min_price)
    if wanted.max_price is not None:
        add("max_price", wanted.max_price)
    if wanted.in_stock is not None:
        add("in_stock" if wanted.in_stock else "out_of_stock")
    if wanted.rating_min is not None:
        add("rating_min", wanted.rating_min)
    if wanted.tags or wanted.specifications:
        named = [(name.replace("=", "_"), value) for name, value in wanted.specifications.items()]
        add("facts", [*(f"t:{tag}" for tag in wanted.tags), *(f"s:{name}={value}" for name, value in named)])
    if wanted.q:
        add("words", wanted.q)
    return filters, args


def _hit(columns: Any) -> Hit:
    marked = html.escape(columns[14], quote=False).replace("&lt;em&gt;", "<em>").replace("&lt;/em&gt;", "</em>")
    return Hit.of(columns[:14], marked)


def _listing(
    rows: list[Row], of: tuple[str, int, str | None], limit: int, total: Total, made: Callable[[Any], Hit]
) -> Listing:
    if rows and rows[0][4] is None:
        rows = []
    cursor = None
    if len(rows) > limit:
        last = rows[limit - 1]
        cursor = cursors.seal(*of, last[3], last[4], *total)
    return Listing([made(row[4:]) for row in rows[:limit]], cursor, *total)


_KINDS: Final[dict[str, type]] = {"timestamptz": datetime, "bigint": int, "real": float, "text": str}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended: the words that were read instead of those typed, the sort's value, the id, the total."""

    words: str | None
    at: Any
    id: UUID
    total: int
    is_exact: bool


def _opened(cursor: str, sort: str, of: int) -> _Place:
    kind: Any = tuple[str, int, str | None, _KINDS[SORTS[sort][2]], UUID, int, bool]  # type: ignore[misc]
    of_sort, of_filters, words, at, id, total, exact = cursors.unseal(cursor, kind)
    if (of_sort, of_filters) != (sort, of) or total < 0 or len(words or "") > LONGEST_WORDS:
        raise cursors.BadCursor
    return _Place(words, at, id, total, exact)


def _digest(filters: list[str], args: list[Any]) -> int:
    """A checksum of the filters, so that a cursor fits the list that gave it and no other."""
    return zlib.crc32(codec.encode([filters, args])) if filters else 0
