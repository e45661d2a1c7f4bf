"""The tree of categories: add, rename, move with everything below, put in order, take out."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tfmshop.commerce.catalog.categories import RESERVED, CategoryPaths
from tfmshop.commerce.catalog.errors import CannotMoveCategory, CategoryInUse, CategoryNotFound, SlugTaken
from tfmshop.commerce.catalog.store_edit import (
    ADD_CATEGORY,
    DROP_CATEGORY,
    FIND_CATEGORY,
    HOLD_BRANCH,
    LOCK_TREE,
    MOVE_CATEGORY,
    NOTE_CATEGORY_SLUG,
    ORDER_CATEGORIES,
    RENAME_CATEGORY,
    SISTERS,
    TAKE_BACK_CATEGORY_SLUG,
)
from tfmshop.commerce.vocabulary import slug as slug_of
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Refused, Tx

DEEPEST: Final = 20
"""Levels of categories; far more than anyone can click through."""


async def add(tx: Tx, name: str, parent: str | None = None, slug: str | None = None) -> UUID:
    """Add a category below another, or at the top; its id. `CategoryNotFound`, `SlugTaken`, `CannotMoveCategory`."""
    await tx.rows(LOCK_TREE)
    parent_id = await _find(tx, parent) if parent else None
    if not name.strip():
        raise CannotMoveCategory(why="it has no name")
    id = ids.new()
    wanted = slug_of(slug or name) or id.hex
    if wanted in RESERVED:
        raise SlugTaken(slug=wanted)
    try:
        async with tx.savepoint():
            if not await tx.execute(ADD_CATEGORY, id, parent_id, wanted, name, DEEPEST):
                raise CannotMoveCategory(why=f"categories go {DEEPEST} levels deep")
    except Refused:
        raise SlugTaken(slug=wanted) from None
    return id


async def make(tx: Tx, paths: list[tuple[str, ...]]) -> int:
    """Make every category on these paths of names that is not there yet; how many."""
    await tx.rows(LOCK_TREE)
    known = CategoryPaths()
    await known.ensure(tx, sorted(paths, key=len), lambda _: ids.new(), clock.now())
    return len(known.take_made())


async def rename(tx: Tx, category: str, name: str, slug: str | None = None) -> None:
    """Give a category another name, and another slug if wanted; the old slug leads to it. `SlugTaken`.

    Whoever puts a product into it meanwhile waits, or is waited for: its search entry has the new name.
    """
    await tx.rows(LOCK_TREE)
    id = await _find(tx, category)
    await tx.rows(HOLD_BRANCH, id)
    if not name.strip():
        raise CannotMoveCategory(why="it has no name")
    if slug and not slug_of(slug):
        raise CannotMoveCategory(why="its slug has neither letter nor digit")
    slug = slug_of(slug or "") or None
    if slug in RESERVED:
        raise SlugTaken(slug=slug or "")
    if slug is not None:
        await tx.execute(TAKE_BACK_CATEGORY_SLUG, slug, id)
        await tx.execute(NOTE_CATEGORY_SLUG, id, slug)
    try:
        async with tx.savepoint():
            await tx.execute(RENAME_CATEGORY, id, name, slug)
    except Refused:
        raise SlugTaken(slug=slug or "") from None


async def move(tx: Tx, category: str, parent: str | None) -> int:
    """Move a category with everything below it under another, or to the top; how many categories went along.

    `CategoryNotFound`; `CannotMoveCategory` into itself or below what it carries, or deeper than `DEEPEST`.
    """
    await tx.rows(LOCK_TREE)
    id = await _find(tx, category)
    parent_id = await _find(tx, parent) if parent else None
    await tx.rows(HOLD_BRANCH, id)
    moved = await tx.execute(MOVE_CATEGORY, id, parent_id, DEEPEST)
    if not moved:
        raise CannotMoveCategory(why=f"it would be below itself, or more than {DEEPEST} levels deep")
    return moved


async def held(tx: Tx, category: str) -> UUID:
    """The id of a category, while nobody else changes the tree until the transaction ends. `CategoryNotFound`."""
    await tx.rows(LOCK_TREE)
    return await _find(tx, category)


async def sisters(tx: Tx, category: str) -> list[str]:
    """The slugs of a category and its sisters, in their order; held as by `held`. `CategoryNotFound`."""
    return [row["slug"] for row in await tx.rows(SISTERS, await held(tx, category))]


async def order(tx: Tx, categories: list[str]) -> None:
    """Put sister categories in this order; those that are not named come after. `CategoryNotFound`."""
    await tx.rows(LOCK_TREE)
    found = [await _find(tx, category) for category in categories]
    await tx.execute(ORDER_CATEGORIES, found)


async def drop(tx: Tx, category: str) -> None:
    """Take out a category that has nothing in or below it. `CategoryInUse`, `CategoryNotFound`."""
    id = await _find(tx, category)
    try:
        async with tx.savepoint():
            await tx.execute(DROP_CATEGORY, id)
    except Refused:
        raise CategoryInUse from None


async def _find(tx: Tx, category: str) -> UUID:
    id = ids.parse(category)
    found: UUID | None = await tx.value(FIND_CATEGORY, id, None if id else category)
    if found is None:
        raise CategoryNotFound
    return found
