"""Lists of products: filtered, sorted, a page at a time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tfmshop.commerce.catalog.errors import PageTooDeep
from tfmshop.commerce.catalog.listing import COUNTED, LIST_PRODUCTS, SORTS
from tfmshop.commerce.catalog.model import Item, Listing
from tfmshop.commerce.vocabulary import same_name
from tfmshop.platform import codec, cursors, ids
from tfmshop.platform.db import Row, Tx

DEEPEST_PAGE: Final = 10_000
"""LIMIT/OFFSET goes no further than this many products."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products, in which order. Amounts in minor units; `category` and `brand` by slug (or id, or name)."""

    q: str | None = None
    category: str | None = None
    brand: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    rating_min: float | None = None
    tags: list[str] = field(default_factory=list)
    specifications: dict[str, str] = field(default_factory=dict)
    sort: str | None = None
    limit: int = 20
    cursor: str | None = None
    page: int | None = None
    exact_count: bool = False


async def browse(tx: Tx, wanted: Wanted) -> Listing:
    """A page of products on sale, in one statement. `BadCursor`, `PageTooDeep`."""
    sort = wanted.sort or ("relevance" if wanted.q else "newest")
    if sort == "relevance" and not wanted.q:
        sort = "newest"
    shape, args = _conditions(wanted)
    of = _digest(shape, args)
    known: tuple[int, bool] | None = None
    if wanted.cursor is not None:
        place, id, known = _opened(wanted.cursor, sort, of)
        shape.append("after")
        args += [place, id]
    args.append(wanted.limit + 1)
    if wanted.page is not None and wanted.page > 1 and wanted.cursor is None:
        offset = (wanted.page - 1) * wanted.limit
        if offset + wanted.limit > DEEPEST_PAGE:
            raise PageTooDeep(DEEPEST_PAGE)
        shape.append("offset")
        args.insert(-1, offset)
    if known is None:
        shape.append("count_exact" if wanted.exact_count else "count")
    rows = await tx.rows(LIST_PRODUCTS.of((sort, *shape)), *args)
    return _listing(rows, (sort, of), wanted.limit, known, counted_all=wanted.exact_count)


def _conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    shape: list[str] = []
    args: list[Any] = []

    def add(word: str, *values: object) -> None:
        shape.append(word)
        args.extend(values)

    if wanted.q:
        add("q", wanted.q)
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
    if wanted.tags:
        add("tags", wanted.tags)
    for name, value in wanted.specifications.items():
        add("spec", codec.encode_text({name: value}), codec.encode_text({name: _typed(value)}))
    return shape, args


def _typed(text: str) -> str | float | bool:
    """A specification's value as the number or flag it looks like."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < 1e300 else text


def _listing(
    rows: list[Row], of: tuple[str, int], limit: int, known: tuple[int, bool] | None, *, counted_all: bool
) -> Listing:
    total, exact = known or _total(rows[0][0], rows[0][1], counted_all=counted_all)
    if rows and rows[0][3] is None:
        rows = []
    items = [Item.of(row[3:]) for row in rows[:limit]]
    cursor = None
    if len(rows) > limit:
        last = rows[limit - 1]
        cursor = cursors.seal(*of, last[2], last[3], total, exact)
    return Listing(items, cursor, total, exact)


def _total(counted: int, at_most: int | None, *, counted_all: bool) -> tuple[int, bool]:
    if counted_all or counted <= COUNTED:
        return counted, True
    return max(COUNTED, at_most or 0), False


_PLACES: Final[dict[str, type]] = {"timestamptz": datetime, "bigint": int, "real": float, "text": str}


def _opened(cursor: str, sort: str, of: int) -> tuple[Any, UUID, tuple[int, bool]]:
    kind: Any = tuple[str, int, _PLACES[SORTS[sort][2]], UUID, int, bool]  # type: ignore[misc]
    of_sort, of_filters, place, id, total, exact = cursors.unseal(cursor, kind)
    if (of_sort, of_filters) != (sort, of) or total < 0:
        raise cursors.BadCursor
    return place, id, (total, exact)


def _digest(shape: list[str], args: list[Any]) -> int:
    """A checksum of the filters, so that a cursor fits the list that gave it and no other."""
    return zlib.crc32(codec.encode([shape, args])) if shape else 0
