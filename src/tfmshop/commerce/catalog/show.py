"""One product or category, whole, in one statement."""

from __future__ import annotations

from tfmshop.commerce.catalog.errors import CategoryNotFound, Moved, ProductNotFound
from tfmshop.commerce.catalog.model import (
    Branch,
    Category,
    CategoryPage,
    Crumb,
    Item,
    Product,
    Reviews,
    Variant,
    in_tree,
    options_of,
)
from tfmshop.commerce.catalog.store import (
    FEATURED,
    LIST_CATEGORIES,
    MOVED_CATEGORY,
    MOVED_PRODUCT,
    RELATED,
    SHOW_CATEGORY,
    SHOW_PRODUCT,
)
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Query, Tx


async def show(tx: Tx, id_or_slug: str) -> Product:
    """The whole page of a product on sale. `ProductNotFound`; `Moved` when it has another slug now.

    What PostgreSQL made as JSON stays JSON: the page is for encoding.
    """
    id = ids.parse(id_or_slug)
    row = await tx.row(SHOW_PRODUCT, id, None if id else id_or_slug)
    if row is None:
        raise await _moved(tx, MOVED_PRODUCT, id_or_slug) or ProductNotFound
    (model, description, tags, specifications, published_at, updated_at, version, variants, has_options, pictures,
     breadcrumbs, related, attributes) = row[14:]  # fmt: skip
    options = options_of(codec.decode_as(variants, list[Variant])) if has_options else {}
    return Product.of(
        row[:14], model, description, tags, codec.as_is(specifications), codec.as_is(attributes), options,
        codec.as_is(variants), codec.as_is(pictures), codec.as_is(breadcrumbs), Reviews(round(row[9], 2), row[10]),
        codec.as_is(related), published_at, updated_at, version,
    )  # fmt: skip


async def related(tx: Tx, id_or_slug: str, limit: int) -> list[Item]:
    """Products that go with one: those that were chosen, then the newest of its category. `ProductNotFound`."""
    id = ids.parse(id_or_slug)
    row = await tx.row(RELATED, id, None if id else id_or_slug, limit)
    if row is None:
        raise ProductNotFound
    return codec.decode_as(row[0], list[Item])


async def featured(tx: Tx, limit: int) -> list[Item]:
    """The products that staff put forward, newest first."""
    return [Item.of(tuple(row)) for row in await tx.rows(FEATURED, limit)]


async def tree(tx: Tx) -> list[Branch]:
    """Every category below its parent, with the number of products in and below it."""
    return in_tree([Category(*row) for row in await tx.rows(LIST_CATEGORIES)])


async def show_category(tx: Tx, id_or_slug: str) -> CategoryPage:
    """A category with breadcrumbs and children. `CategoryNotFound`; `Moved` when it has another slug now."""
    id = ids.parse(id_or_slug)
    row = await tx.row(SHOW_CATEGORY, id, None if id else id_or_slug)
    if row is None:
        raise await _moved(tx, MOVED_CATEGORY, id_or_slug) or CategoryNotFound
    return CategoryPage(
        row[0],
        row[1],
        row[2],
        row[3],
        codec.decode_as(row[4], list[Crumb]),
        codec.decode_as(row[5], list[Category]),
    )


async def _moved(tx: Tx, query: Query, former_slug: str) -> Moved | None:
    slug = await tx.value(query, former_slug)
    return Moved(slug) if slug else None
