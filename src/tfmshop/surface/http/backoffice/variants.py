"""Variants of products, for staff: add, change, take out."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, patch, post
from msgspec import Meta

from tfmshop.commerce import catalog, transfer
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.products import Version, facts_of
from tfmshop.surface.http.backoffice.versions import IfMatch, version_of
from tfmshop.surface.http.context import AnyRequest, shop_of

TAGS = ["admin: catalogue"]


class NewVariant(msgspec.Struct, forbid_unknown_fields=True):
    """One way in which the product is sold."""

    sku: catalog.variants.Sku
    price: catalog.edit.Amount
    title: Annotated[str, Meta(max_length=200)] = ""
    options: catalog.variants.Options = {}
    stock: Annotated[int, Meta(ge=0, le=10**9)] = 0
    compare_at_price: catalog.edit.Amount | None = None
    weight_g: Annotated[int, Meta(ge=0, le=2_000_000_000)] | None = None
    barcode: Annotated[str, Meta(max_length=100)] | None = None

    def to_add(self) -> catalog.NewVariant:
        """The variant as the catalogue takes it."""
        return catalog.NewVariant(**msgspec.structs.asdict(self))


@post("/products/{id_or_slug:str}/variants", summary="Add a variant", tags=TAGS, opt=needs("catalog"))
async def add_variant(request: AnyRequest, id_or_slug: str, data: NewVariant) -> Version:
    """Add a variant, with its stock, after those that are there.

    Errors: `product_not_found`, `sku_taken`, `bad_price`, `cannot_change_variants`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> Version:
        product = await catalog.edit.held(tx, id_or_slug)
        before = await facts_of(tx, product)
        await transfer.by_hand.add_variant(tx, product, data.to_add())
        after = await facts_of(tx, product) | {"stock": data.stock}
        await noted(request, tx, "variants.add", product, before=before, after=after)
        return Version((await catalog.edit.found(tx, str(product)))[1])

    return await shop_of(request).platform.db.transact(work)


@patch("/variants/{sku:str}", summary="Change a variant", tags=TAGS, opt=needs("catalog"), status_code=204)
async def change_variant(
    request: AnyRequest, sku: str, data: catalog.variants.VariantChanges, if_match: IfMatch = None
) -> None:
    """Change what is named; the rest stays. The former price is kept, for the lowest price of 30 days.

    Errors: `product_not_found`, `sku_taken`, `bad_price`, `stale_version`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    version = version_of(if_match)

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, sku=sku)
        before = await facts_of(tx, product)
        await catalog.variants.change(tx, sku, data, version)
        await noted(request, tx, "variants.change", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


@delete("/variants/{sku:str}", summary="Take out a variant", tags=TAGS, opt=needs("catalog"))
async def drop_variant(request: AnyRequest, sku: str) -> None:
    """Take out a variant that was never sold, with its stock; one that was sold stays, so that it may come back.

    Errors: `product_not_found`, `cannot_change_variants`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, sku=sku)
        before = await facts_of(tx, product)
        before["stock"] = await transfer.by_hand.drop_variant(tx, product, sku)
        await noted(request, tx, "variants.drop", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


ROUTES = [add_variant, change_variant, drop_variant]
