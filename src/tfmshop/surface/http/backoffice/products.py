"""Products, for staff: change one, and what goes with it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import patch, put
from msgspec import Meta

from tfmshop.commerce import catalog
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfMatch, version_of
from tfmshop.surface.http.context import AnyRequest, shop_of


class Version(msgspec.Struct, frozen=True):
    """What a product is at now; send it as `If-Match` with the next change."""

    version: int


class Related(msgspec.Struct, forbid_unknown_fields=True):
    """Products by slug or id."""

    products: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=50)]


@patch("/products/{id_or_slug:str}", summary="Change a product", tags=["admin: catalogue"], opt=needs("catalog"))
async def change_product(
    request: AnyRequest, id_or_slug: str, data: catalog.edit.Changes, if_match: IfMatch = None
) -> Version:
    """Change what is named, on sale or not; the rest stays. An old slug goes on leading to the product.

    Errors: `product_not_found`, `slug_taken`, `bad_specification`, `stale_version`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    version = version_of(if_match)

    async def work(tx: Tx) -> int:
        product = await catalog.edit.held(tx, id_or_slug)
        before = await facts_of(tx, product)
        new = await catalog.edit.change(tx, str(product), data, version)
        await noted(request, tx, "products.change", product, before=before, after=await facts_of(tx, product))
        return new

    return Version(await shop_of(request).platform.db.transact(work))


@put("/products/{id_or_slug:str}/related", summary="Choose related products", tags=["admin: catalogue"],
     opt=needs("catalog"), status_code=204)  # fmt: skip
async def relate_products(request: AnyRequest, id_or_slug: str, data: Related) -> None:
    """Show these products, in this order, with one; without any, those of its category are shown.

    Errors: `product_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, id_or_slug)
        others = [(await catalog.edit.found(tx, one))[0] for one in data.products]
        before, after = await catalog.edit.relate(tx, product, others)
        await noted(request, tx, "products.relate", product, before=before, after=after)

    await shop_of(request).platform.db.transact(work)


async def facts_of(tx: Tx, product: UUID) -> dict[str, object]:
    """A product field by field, as the audit log has it."""
    return catalog.snapshot.facts((await catalog.snapshot.take(tx, [product])).get(product))


ROUTES = [change_product, relate_products]
