"""Products as they are at a moment: to tell what a change did, and to put them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tfmshop.commerce.catalog.store import SHOW_VARIANTS
from tfmshop.commerce.catalog.store_snapshot import (
    ARCHIVE,
    DROP_NEW_PRICES,
    DROP_NEW_VARIANTS,
    DROP_PICTURES_OF,
    DROP_PRODUCTS,
    DROP_UNUSED_BRANDS,
    DROP_UNUSED_CATEGORIES,
    MAKE_ROOM,
    RESTORE_PICTURES,
    RESTORE_PRICED_AT,
    RESTORE_PRODUCTS,
    RESTORE_VARIANTS,
    TAKE,
)
from tfmshop.platform import codec
from tfmshop.platform.db import Tx


async def take(tx: Tx, products: list[UUID]) -> dict[UUID, str]:
    """Products with their variants and pictures, each as JSON; those that do not exist are left out."""
    return {row["id"]: row["snapshot"] for row in await tx.rows(TAKE, products)}


def facts(snapshot: str | None) -> dict[str, Any]:
    """What people see of a snapshot, field by field: what a difference is made of. Empty for None."""
    if snapshot is None:
        return {}
    whole = codec.decode(snapshot)
    product = whole["product"]
    seen = {name: product[name] for name in ("title", "model", "description", "status", "compare_at_price", "price",
                                             "currency", "tags", "badge", "sku", "external_id", "published_at",
                                             "slug", "featured", "publish_at", "withdraw_at", "tax_class")}  # fmt: skip
    seen |= {"brand": whole["brand"], "category": whole["category"], "pictures": [p["url"] for p in whole["pictures"]]}
    seen |= {f"specifications.{name}": value for name, value in product["specifications"].items()}
    for variant in whole["variants"]:
        for name in ("title", "options", "price", "compare_at_price", "weight_g", "barcode"):
            seen[f"variants.{variant['sku']}.{name}"] = variant[name]
    return seen


async def restore(tx: Tx, snapshots: Mapping[UUID, str], kept: list[UUID]) -> list[tuple[UUID, UUID, str]]:
    """Put products back as they were, former prices included. What sells, ratings and stock go on as they are.

    Variants that came since are gone, but for those that are `kept`; those that were taken out are there again: id,
    product and SKU of each, which have no stock.
    """
    products, given = list(snapshots), list(snapshots.values())
    await tx.execute(RESTORE_PRODUCTS, given)
    await tx.execute(DROP_PICTURES_OF, products)
    await tx.execute(DROP_NEW_VARIANTS, products, given, kept)
    await tx.execute(MAKE_ROOM, products, given)
    restored = await tx.rows(RESTORE_VARIANTS, given)
    await tx.execute(RESTORE_PRICED_AT, given)
    await tx.execute(DROP_NEW_PRICES, products, given)
    await tx.execute(RESTORE_PICTURES, given)
    if kept:
        await tx.execute(SHOW_VARIANTS, products)
    return [(row["id"], row["product_id"], row["sku"]) for row in restored if row["again"]]


async def erase(tx: Tx, products: list[UUID]) -> None:
    """Take products out for good, as if they had never been there."""
    await tx.execute(DROP_PRODUCTS, products)


async def archive(tx: Tx, products: list[UUID]) -> None:
    """Take products off sale and keep them."""
    await tx.execute(ARCHIVE, products)


async def sweep(tx: Tx, categories: list[UUID], brands: list[UUID]) -> None:
    """Take out those of `categories` (deepest first) and `brands` that nothing is in."""
    for category in reversed(categories):
        await tx.execute(DROP_UNUSED_CATEGORIES, category)
    await tx.execute(DROP_UNUSED_BRANDS, brands)
