"""The variants of one product: added, changed, taken out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tfmshop.commerce.catalog.edit import Amount, found, held
from tfmshop.commerce.catalog.errors import BadPrice, ProductNotFound, SkuTaken, StaleVersion, VariantStays
from tfmshop.commerce.catalog.model import NewVariant
from tfmshop.commerce.catalog.store import SHOW_VARIANTS
from tfmshop.commerce.catalog.store_edit import ADD_VARIANT, CHANGE_VARIANT, DROP_VARIANT, LEAD_SKU, VARIANT_OF
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Refused, Tx

MOST: Final = 100
"""Variants of a product that staff may add by hand."""
Sku = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^(?!\.{1,2}$)[^/]+$(?!\n)")]
"""What can stand in an address."""
Options = dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=200)]]


class VariantChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall be different about a variant."""

    title: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    price: Amount | UnsetType = UNSET
    compare_at_price: Amount | UnsetType | None = UNSET
    weight_g: Annotated[int, Meta(ge=0, le=2000000000)] | UnsetType | None = UNSET
    barcode: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET
    sku: Sku | UnsetType = UNSET
    options: Options | UnsetType = UNSET


async def add(tx: Tx, product: UUID, new: NewVariant) -> UUID:
    """Add a variant after the others of a product that the caller holds; its id. `SkuTaken`, `BadPrice`,
    `VariantStays` when there are too many.
    """
    compare_at = None if new.compare_at_price is UNSET else new.compare_at_price
    options = codec.encode_text(new.options or {})
    with _refusals(new.sku):
        async with tx.savepoint():
            id: UUID | None = await tx.value(
                ADD_VARIANT, ids.new(), product, new.sku, new.title or "", options, new.price, compare_at, new.weight_g,
                new.barcode, MOST,
            )  # fmt: skip
    if id is None:
        raise VariantStays(why=f"there are {MOST} already")
    await _show(tx, product, new.sku, leads=False)
    return id


async def change(tx: Tx, sku: str, changes: VariantChanges, version: int | None = None) -> None:
    """Change a variant, if its product is at `version`; its former price is kept, and the product's lists show the new
    one. `ProductNotFound`, `StaleVersion`, `SkuTaken`.

    `BadPrice` when the price to compare with is not above the price.
    """
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    if "options" in given:
        given["options"] = codec.encode_text(given["options"])
    args = [(given.get(name), name in given) for name in changes.__struct_fields__]
    product = await held(tx, sku=sku)
    if version is not None and (now := (await found(tx, str(product)))[1]) != version:
        raise StaleVersion(version=now)
    if not given:
        return
    with _refusals(given.get("sku", sku)):
        async with tx.savepoint():
            changed = await tx.row(CHANGE_VARIANT, sku, *(part for pair in args for part in pair))
    if changed is None or changed["product_id"] != product:
        raise ProductNotFound
    await _show(tx, product, sku, leads=changed["leads"])


async def of(tx: Tx, product: UUID, sku: str) -> UUID:
    """The variant of a product with a SKU. `ProductNotFound`."""
    found: UUID | None = await tx.value(VARIANT_OF, product, sku)
    if found is None:
        raise ProductNotFound
    return found


async def drop(tx: Tx, product: UUID, variant: UUID) -> None:
    """Take a variant out of a product that the caller holds. `VariantStays` when it is the only one."""
    gone = await tx.row(DROP_VARIANT, variant)
    if gone is None:
        raise VariantStays(why="it is the only one of its product")
    await _show(tx, product, gone["sku"], leads=gone["leads"])


@contextmanager
def _refusals(sku: str) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if error.constraint == "variant_sku":
            raise SkuTaken(sku=sku) from None
        raise BadPrice from None


async def _show(tx: Tx, product: UUID, sku: str, *, leads: bool) -> None:
    """Show in lists what became of a variant that had this SKU. If it was the first, and its product went by its SKU,
    the product goes by that of the first now.
    """
    await tx.execute(SHOW_VARIANTS, [product])
    await tx.execute(LEAD_SKU, product, sku, leads)
