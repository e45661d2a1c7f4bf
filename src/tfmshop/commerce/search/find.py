"""Lists of products: filtered, sorted, searched, a page at a time."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from tfmshop.commerce.search.correct import corrected
from tfmshop.commerce.search.errors import PageTooDeep
from tfmshop.commerce.search.facets import facets
from tfmshop.commerce.search.listing import FULL_ENOUGH, LIST_PRODUCTS, strategy
from tfmshop.commerce.search.model import DEEPEST_PAGE, Hit, Listing, Wanted, fact_name
from tfmshop.commerce.search.places import Place, digest, opened, sort_of
from tfmshop.commerce.search.store import NOTE_MISSED
from tfmshop.commerce.vocabulary import same_name
from tfmshop.platform import codec, cursors, ids
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.meaning import Model

Conditions = tuple[list[str], list[Any]]
Total = tuple[int, bool]


async def find(tx: Tx, wanted: Wanted, model: Model | None = None) -> Listing:
    """A page of products on sale: one statement, and one more for facets. `BadCursor`, `PageTooDeep`.

    Words that nothing has are corrected and tried once more. With a model, what is near in meaning is tried next; words
    that nothing has even some of are noted for staff.
    """
    typed = wanted
    words = wanted.q
    if words and wanted.cursor is not None and opened(wanted).sort == "likeness":
        return await _near(tx, wanted, model)
    listing, found = await _page(tx, wanted, typed)
    better = opened(wanted).words if words and wanted.cursor is not None else None
    if better is not None:
        wanted = replace(wanted, q=better)
        listing = msgspec.structs.replace(listing, corrected=better)
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
        if model is not None and not found and wanted.sort in (None, "relevance"):
            near = await _near(tx, wanted, model)
            listing = near if near.items else listing
    if wanted.facets:
        listing = msgspec.structs.replace(listing, facets=await facets(tx, wanted, *conditions(wanted)))
    return listing


async def _near(tx: Tx, wanted: Wanted, model: Model | None) -> Listing:
    """A page of what is near in meaning. `BadCursor` when meaning was switched off meanwhile."""
    if model is None:
        raise cursors.BadCursor
    (numbers,) = await asyncio.to_thread(model.of, [wanted.q or ""])
    meant = (model.name, codec.encode_text(numbers))
    listing, _ = await _page(tx, replace(wanted, sort="likeness"), wanted, meant)
    return msgspec.structs.replace(listing, by_meaning=True)


async def _page(tx: Tx, wanted: Wanted, typed: Wanted, meant: tuple[str, str] | None = None) -> tuple[Listing, bool]:
    """The page, and whether anything has all the words. Its cursor is for the list that was typed."""
    sort = sort_of(wanted)
    of = digest(*conditions(typed))
    place: Place | None = None
    if wanted.cursor is not None:
        place = opened(wanted)
        if (place.sort, place.of) != (sort, of):
            raise cursors.BadCursor
        wanted = replace(wanted, q=place.words or wanted.q)
    filters, args = conditions(wanted, meant)
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
    if wanted.exact_count and place is None and how in ("walk", "few"):
        ending.append("count_exact")
    if wanted.highlight and meant is None:
        ending.append("highlight")
    rows = await tx.rows(LIST_PRODUCTS.of((sort, *filters, how, *ending)), *args, wanted.limit + 1)
    total = (place.total, place.is_exact) if place else (rows[0][0], rows[0][1])
    found = not rows[0][2] and total[0] > 0 if rows else False
    if wanted.exact_count and place is None and how == "ranked" and not total[1]:
        counted = await _counted(tx, filters, args)
        total = total if counted[0] < FULL_ENOUGH else counted  # fewer are followed by those with some of the words
    words = wanted.q if wanted.q != typed.q else None
    made = Hit.of if not wanted.highlight else _unmarked if meant else _hit
    return _listing(rows, (sort, of, words), wanted.limit, total, made), found


async def _counted(tx: Tx, filters: list[str], args: list[Any]) -> Total:
    """How many there are, of a list that shows the best of them."""
    how = strategy("newest", filters)
    rows = await tx.rows(LIST_PRODUCTS.of(("newest", *filters, how, "count_exact")), *args, 1)
    return rows[0][0], rows[0][1]


def conditions(wanted: Wanted, meant: tuple[str, str] | None = None) -> Conditions:
    """The filters of a list, in the order of the SQL, and their parameters; of what is meant instead of the words."""
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
        named = [(fact_name(name), value) for name, value in wanted.specifications.items()]
        add("facts", [*(f"t:{tag}" for tag in wanted.tags), *(f"s:{name}={value}" for name, value in named)])
    if meant is not None:
        add("meaning", *meant)
    elif wanted.q:
        add("words", wanted.q)
    return filters, args


def _hit(columns: Any) -> Hit:
    marked = html.escape(columns[14], quote=False).replace("&lt;em&gt;", "<em>").replace("&lt;/em&gt;", "</em>")
    return Hit.of(columns[:14], marked)


def _unmarked(columns: Any) -> Hit:
    return Hit.of(columns, html.escape(columns[4], quote=False))


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
