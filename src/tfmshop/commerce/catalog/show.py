"""One product or category, whole, in one statement."""

from __future__ import annotations

from tfmshop.commerce.catalog.errors import CategoryNotFound, ProductNotFound
from tfmshop.commerce.catalog.model import (
    Branch,
    Category,
    CategoryPage,
    Crumb,
    Product,
    Reviews,
    Variant,
    in_tree,
    options_of,
)
from tfmshop.commerce.catalog.store import LIST_CATEGORIES, SHOW_CATEGORY, SHOW_PRODUCT
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Tx


async def show(tx: Tx, id_or_slug: str) -> Product:
    """The whole page of a product on sale. `ProductNotFound`.

    What PostgreSQL made as JSON stays JSON: the page is for encoding.
    """
    id = ids.parse(id_or_slug)
    row = await tx.row(SHOW_PRODUCT, id, None if id else id_or_slug)
    if row is None:
        raise ProductNotFound
    (model, description, tags, specifications, published_at, updated_at, version, variants, has_options, pictures,
     breadcrumbs, related) = row[14:]  # fmt: skip
    options = options_of(codec.decode_as(variants, list[Variant])) if has_options else {}
    return Product.of(
        row[:14], model, description, tags, codec.as_is(specifications), options, codec.as_is(variants),
        codec.as_is(pictures), codec.as_is(breadcrumbs), Reviews(round(row[9], 2), row[10]), codec.as_is(related),
        published_at, updated_at, version,
    )  # fmt: skip


async def tree(tx: Tx) -> list[Branch]:
    """Every category below its parent, with the number of products in and below it."""
    return in_tree([Category(*row) for row in await tx.rows(LIST_CATEGORIES)])


async def show_category(tx: Tx, id_or_slug: str) -> CategoryPage:
    """A category with breadcrumbs and children. `CategoryNotFound`."""
    id = ids.parse(id_or_slug)
    row = await tx.row(SHOW_CATEGORY, id, None if id else id_or_slug)
    if row is None:
        raise CategoryNotFound
    return CategoryPage(
        row[0],
        row[1],
        row[2],
        row[3],
        codec.decode_as(row[4], list[Crumb]),
        codec.decode_as(row[5], list[Category]),
    )
