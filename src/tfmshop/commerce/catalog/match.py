"""Matching products of a file with those of the shop, and what they are sold as with their variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.catalog.model import NewProduct, NewVariant
from tfmshop.commerce.catalog.store import FIND_IMPORTED, LOCK_PRODUCTS
from tfmshop.platform.db import Tx

_BY_ID: Final = "id"
_BY_SKU: Final = "sku"
Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A product that is there already: its category, its variants by SKU, in order, and the position of the last."""

    id: UUID
    category: UUID | None
    variants: dict[str, UUID]
    last: int


def identity(product: NewProduct) -> Identity:
    """What tells which product of the shop it is: the external id, or, without one, the SKU."""
    return (_BY_ID, product.external_id) if product.external_id else (_BY_SKU, product.sku)


async def find(tx: Tx, products: list[NewProduct]) -> dict[Identity, Known]:
    """Those of `products` that are there, by their identity."""
    rows = await tx.rows(
        FIND_IMPORTED,
        [p.external_id for p in products if p.external_id],
        [p.sku for p in products if not p.external_id],
    )
    found: dict[Identity, Known] = {}
    for row in rows:
        variants = dict(zip(row["skus"], row["variants"], strict=True))
        known = Known(row["id"], row["category_id"], variants, row["last"])
        found[_BY_ID, row["external_id"] or ""] = found[_BY_SKU, row["sku"]] = known
    return found


async def hold(tx: Tx, products: list[NewProduct]) -> dict[Identity, Known]:
    """Those of `products` that are there, which nobody else changes until the transaction ends."""
    held: set[UUID] = set()
    while True:
        found = await find(tx, products)
        free = {known.id for known in found.values()} - held
        if not free:
            return found
        await tx.rows(LOCK_PRODUCTS, list(free))
        held |= free


def with_its_sku(product: NewProduct, known: Known | None) -> NewProduct:
    """With the SKU that it has in the shop, where the source has none and there is only one."""
    if known is None or "sku" not in product.kept or not len(known.variants) == len(product.sold_as) == 1:
        return product
    (sku,) = known.variants
    variants = [msgspec.structs.replace(variant, sku=sku) for variant in product.variants]
    return msgspec.structs.replace(product, sku=sku, variants=variants)


def same(known: Known | None, product: NewProduct, new: NewVariant) -> UUID | None:
    """The variant that `new` brings up to date: the one with its SKU, or the only one where both have only one."""
    if known is None:
        return None
    only = next(iter(known.variants.values())) if len(known.variants) == len(product.sold_as) == 1 else None
    return known.variants.get(new.sku) or (only if product.variants else next(iter(known.variants.values())))
