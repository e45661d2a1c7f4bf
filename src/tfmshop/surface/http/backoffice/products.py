"""Products, for staff: change one, its variants and pictures."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, patch, post, put
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import catalog
from tfmshop.platform.db import Tx
from tfmshop.platform.files import images
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfMatch, version_of
from tfmshop.surface.http.context import AnyRequest, WrongContentType, shop_of
from tfmshop.surface.http.tiers import limited

PICTURES = ["image/jpeg", "image/png", "image/webp", "image/avif"]


class Version(msgspec.Struct, frozen=True):
    """What a product is at now; send it as `If-Match` with the next change."""

    version: int


class Related(msgspec.Struct, forbid_unknown_fields=True):
    """Products by slug or id."""

    products: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=50)]


class Uploaded(msgspec.Struct, frozen=True):
    """A new picture."""

    id: UUID
    url: str


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


@patch(
    "/variants/{sku:str}", summary="Change a variant", tags=["admin: catalogue"], opt=needs("catalog"), status_code=204
)
async def change_variant(
    request: AnyRequest, sku: str, data: catalog.edit.VariantChanges, if_match: IfMatch = None
) -> None:
    """Change the price, weight or barcode of a variant; the version is its product's. The former price is kept for the
    lowest price of 30 days.

    Errors: `product_not_found`, `bad_price`, `stale_version`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    version = version_of(if_match)

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, sku=sku)
        before = await facts_of(tx, product)
        await catalog.edit.change_variant(tx, sku, data, version)
        await noted(request, tx, "variants.change", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


@post(
    "/products/{id_or_slug:str}/pictures",
    summary="Add a picture",
    tags=["admin: catalogue"],
    opt=needs("catalog") | {"takes": PICTURES} | limited("upload"),
)
async def add_picture(
    request: AnyRequest,
    id_or_slug: str,
    alt: Annotated[str, Parameter(max_length=500, description="What the picture shows, in words.")] = "",
    sku: Annotated[str | None, Parameter(max_length=100, description="Of this variant only.")] = None,
) -> Uploaded:
    """Add a picture after those that are there: the body is a JPEG, PNG, WebP or AVIF file of at most 12 MiB.

    It is decoded and made anew: what else the file holds (place, camera, scripts) is gone.

    Errors: `bad_picture`, `product_not_found`, `unsupported_media_type`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise WrongContentType(given=kind[:100] or "nothing")
    platform = shop_of(request).platform
    content = await asyncio.to_thread(images.accepted, await request.body())
    key = await asyncio.to_thread(platform.files.put, content, "webp")
    url = f"/api/v1/media/{key}"

    async def work(tx: Tx) -> UUID:
        picture = await catalog.edit.add_picture(tx, id_or_slug, url, alt, sku)
        await noted(request, tx, "pictures.add", id_or_slug, after={"picture": picture, "url": url})
        return picture

    return Uploaded(await platform.db.transact(work), url)


@delete("/pictures/{picture_id:uuid}", summary="Take out a picture", tags=["admin: catalogue"], opt=needs("catalog"))
async def drop_picture(request: AnyRequest, picture_id: UUID) -> None:
    """Take a picture off its product.

    Errors: `picture_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, picture=picture_id)
        before = await facts_of(tx, product)
        await catalog.edit.drop_picture(tx, picture_id)
        await noted(request, tx, "pictures.drop", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


async def facts_of(tx: Tx, product: UUID) -> dict[str, object]:
    """A product field by field, as the audit log has it."""
    return catalog.snapshot.facts((await catalog.snapshot.take(tx, [product])).get(product))


ROUTES = [change_product, relate_products, change_variant, add_picture, drop_picture]
