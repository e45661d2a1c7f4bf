"""One product or category, whole, in one statement."""

from __future__ import annotations

from tfmshop.commerce.catalog.errors import CategoryNotFound, ProductNotFound
from tfmshop.commerce.catalog.model import (
    Branch,
    Category,
    CategoryPage,
    Crumb,
    Item,
    Picture,
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
    """The whole page of a product on sale. `ProductNotFound`."""
    id = ids.parse(id_or_slug)
    row = await tx.row(SHOW_PRODUCT, id, None if id else id_or_slug)
    if row is None:
        raise ProductNotFound
    card = Item.of(row[:14])
    (model, description, tags, specifications, published_at, updated_at, version, variants_json, pictures, breadcrumbs,
     related) = row[14:]  # fmt: skip
    variants = codec.decode_as(variants_json, list[Variant])
    return Product(
        **{name: getattr(card, name) for name in card.__struct_fields__ if name != "in_stock"},
        model=model,
        description=description,
        in_stock=any(variant.in_stock for variant in variants),
        tags=tags,
        specifications=codec.decode(specifications),
        options=options_of(variants),
        variants=variants,
        pictures=codec.decode_as(pictures, list[Picture]),
        breadcrumbs=codec.decode_as(breadcrumbs, list[Crumb]),
        reviews=Reviews(card.rating, card.review_count),
        related=codec.decode_as(related, list[Item]),
        published_at=published_at,
        updated_at=updated_at,
        version=version,
    )


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
