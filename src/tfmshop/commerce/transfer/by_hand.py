"""Adding products and variants by hand, as an import would, and taking variants out."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import catalog, inventory
from tfmshop.commerce.transfer.store import SOLD
from tfmshop.commerce.vocabulary import YEARS
from tfmshop.platform.db import Refused, Tx
from tfmshop.platform.errors import Kind, ShopError


class CannotAdd(ShopError, kind=Kind.CONFLICT, code="cannot_add_product", says="The product cannot be added: {why}."):
    """A SKU of it is taken, or a specification is not what its attribute says."""

    why: str


async def add(tx: Tx, product: catalog.NewProduct) -> UUID:
    """Add a product with its variants and their stock; its id. `CannotAdd`."""
    if product.published_at is not None and product.published_at.year not in YEARS:
        raise CannotAdd(f"published_at must be from {YEARS[0]} to {YEARS[-1]}")
    try:
        async with tx.savepoint():
            (loaded,) = await catalog.Loader().load(tx, [product])
            if isinstance(loaded, str):
                raise CannotAdd(loaded)
            if not loaded.created:
                raise CannotAdd(f"sku {product.sku!r} belongs to another product")
            levels = [inventory.Level(variant, loaded.product_id, sku, units)
                      for variant, (sku, units) in loaded.stock.items()]  # fmt: skip
            await inventory.add_levels(tx, levels)
    except Refused as error:
        raise CannotAdd(f"something else has the same {error.constraint}") from None
    return loaded.product_id


async def add_variant(tx: Tx, product: UUID, new: catalog.NewVariant) -> UUID:
    """Add a variant with its stock to a product that the caller holds; its id. As `catalog.variants.add`."""
    id = await catalog.variants.add(tx, product, new)
    await inventory.levels.set_levels(tx, [inventory.Level(id, product, new.sku, new.stock or 0)])
    return id


async def drop_variant(tx: Tx, product: UUID, sku: str) -> int:
    """Take a variant out of a product that the caller holds, and what is in stock of it: so many units; nobody buys it
    meanwhile.

    `catalog.errors.VariantStays` when it was sold, or is the only one; `ProductNotFound`.
    """
    variant = await catalog.variants.of(tx, product, sku)
    units = await inventory.levels.empty(tx, variant)
    if await tx.rows(SOLD, [variant]):
        raise catalog.errors.VariantStays(why="it was sold, and may come back; without stock, nobody buys it")
    await catalog.variants.drop(tx, product, variant)
    await catalog.keep.refresh_stock(tx, [product], inventory.levels.stocked)
    return units
