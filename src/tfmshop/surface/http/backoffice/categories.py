"""The tree of categories, for staff: add, rename, move, put in order, take out."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, patch, post, put
from msgspec import UNSET, Meta, UnsetType

from tfmshop.commerce import catalog
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of

TAGS = ["admin: catalogue"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Slug = Annotated[str, Meta(min_length=1, max_length=200)]


class NewCategory(msgspec.Struct, forbid_unknown_fields=True):
    """A category: `parent` is the slug or id of the one above, without it the top; the slug is made from the name."""

    name: Name
    parent: Slug | None = None
    slug: Slug | None = None


class Changes(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is to change; a `parent` of null is the top."""

    name: Name | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    parent: Slug | UnsetType | None = UNSET


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Sister categories by slug or id; those that are not named come after."""

    categories: Annotated[list[Slug], Meta(min_length=1, max_length=500)]


@post("/categories", summary="Add a category", tags=TAGS, opt=needs("catalog"))
async def add_category(request: AnyRequest, data: NewCategory) -> catalog.CategoryPage:
    """Add a category, at the top or below another.

    Errors: `category_not_found`, `slug_taken`, `cannot_move_category`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> catalog.CategoryPage:
        id = await catalog.arrange.add(tx, data.name, data.parent, data.slug)
        page = await catalog.show_category(tx, str(id))
        await noted(request, tx, "categories.add", id, after=_facts(page))
        return page

    return await shop_of(request).platform.db.transact(work)


@patch("/categories/{id_or_slug:str}", summary="Rename or move a category", tags=TAGS, opt=needs("catalog"))
async def change_category(request: AnyRequest, id_or_slug: str, data: Changes) -> catalog.CategoryPage:
    """Give it another name or slug, or move it with everything below it. An old slug goes on leading to it.

    Errors: `category_not_found`, `slug_taken`, `cannot_move_category`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> catalog.CategoryPage:
        id = str(await catalog.arrange.held(tx, id_or_slug))
        before = await catalog.show_category(tx, id)
        if data.name is not UNSET or data.slug is not UNSET:
            await catalog.arrange.rename(tx, id, data.name or before.name, data.slug or None)
        if data.parent is not UNSET:
            await catalog.arrange.move(tx, id, data.parent)
        after = await catalog.show_category(tx, id)
        await noted(request, tx, "categories.change", id, before=_facts(before), after=_facts(after))
        return after

    return await shop_of(request).platform.db.transact(work)


@put("/categories/order", summary="Put categories in order", tags=TAGS, opt=needs("catalog"), status_code=204)
async def order_categories(request: AnyRequest, data: Order) -> None:
    """Show sister categories in this order.

    Errors: `category_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        before = await catalog.arrange.sisters(tx, data.categories[0])
        await catalog.arrange.order(tx, data.categories)
        after = await catalog.arrange.sisters(tx, data.categories[0])
        await noted(request, tx, "categories.order", data.categories[0], before=before, after=after)

    await shop_of(request).platform.db.transact(work)


@delete("/categories/{id_or_slug:str}", summary="Take out a category", tags=TAGS, opt=needs("catalog"))
async def drop_category(request: AnyRequest, id_or_slug: str) -> None:
    """Take out a category that has nothing in or below it.

    Errors: `category_not_found`, `category_in_use`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        id = await catalog.arrange.held(tx, id_or_slug)
        before = _facts(await catalog.show_category(tx, str(id)))
        await catalog.arrange.drop(tx, str(id))
        await noted(request, tx, "categories.drop", id, before=before)

    await shop_of(request).platform.db.transact(work)


def _facts(page: catalog.CategoryPage) -> dict[str, object]:
    above = [crumb.slug for crumb in page.breadcrumbs if crumb.id != page.id]
    return {"name": page.name, "slug": page.slug, "parent": above[-1] if above else None}


ROUTES = [add_category, change_category, order_categories, drop_category]
