"""Categories: the list, the tree, and one with its children."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec
from litestar import get

from tfmshop.commerce import catalog
from tfmshop.surface.http.answers import Public, public
from tfmshop.surface.http.context import AnyRequest, shop_of


class Flat(msgspec.Struct, frozen=True):
    """A category in a flat list, parents before their children."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    depth: int
    product_count: int


class Categories(msgspec.Struct, frozen=True):
    """Every category."""

    items: list[Flat]


class Tree(msgspec.Struct, frozen=True):
    """Every category, below its parent."""

    items: list[catalog.model.Branch]


@get("/categories", summary="List categories", tags=["categories"],
     **public(Categories, "Every category.", catalog.cached.CATEGORIES))  # fmt: skip
async def list_categories(request: AnyRequest) -> Public:
    """Every category in the order of the tree; counts include descendants."""
    flat = list(_flat(await shop_of(request).platform.db.look_up(catalog.tree, may_be_old=True), None, 0))
    return Public(Categories(flat), catalog.cached.TREE)


@get("/categories/tree", summary="The tree of categories", tags=["categories"],
     **public(Tree, "The tree.", catalog.cached.CATEGORIES))  # fmt: skip
async def category_tree(request: AnyRequest) -> Public:
    """Every category with its children inside; counts include descendants."""
    return Public(Tree(await shop_of(request).platform.db.look_up(catalog.tree, may_be_old=True)), catalog.cached.TREE)


@get(
    "/categories/{id_or_slug:str}",
    summary="Show a category",
    tags=["categories"],
    **public(catalog.CategoryPage, "The category.", catalog.cached.CATEGORIES),
)
async def show_category(request: AnyRequest, id_or_slug: str) -> Public:
    """A category by id or slug, with breadcrumbs and the categories right below.

    A slug that the category had before answers 301 with its present address.

    Errors: `category_not_found`.
    """
    try:
        page = await shop_of(request).platform.db.look_up(
            lambda tx: catalog.show_category(tx, id_or_slug), may_be_old=True
        )
    except catalog.errors.Moved as moved:
        return Public.moved(f"/api/v1/categories/{moved.slug}")
    return Public(page, catalog.cached.TREE)


def _flat(branches: list[catalog.model.Branch], parent: UUID | None, depth: int) -> Iterator[Flat]:
    for branch in branches:
        yield Flat(branch.id, branch.slug, branch.name, parent, depth, branch.product_count)
        yield from _flat(branch.children, branch.id, depth + 1)


ROUTES = [list_categories, category_tree, show_category]
