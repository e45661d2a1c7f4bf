"""Pictures of products, for staff: add, describe, put in order, take out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
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
from tfmshop.surface.http.backoffice.products import facts_of
from tfmshop.surface.http.context import AnyRequest, WrongContentType, shop_of
from tfmshop.surface.http.tiers import limited

TAGS = ["admin: catalogue"]
PICTURES: Final = ["image/jpeg", "image/png", "image/webp", "image/avif"]


class Uploaded(msgspec.Struct, frozen=True):
    """A new picture."""

    id: UUID
    url: str


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """What a picture shows, in words."""

    alt: Annotated[str, Meta(max_length=500)]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Pictures of a product; those that are not named come after."""

    pictures: Annotated[list[UUID], Meta(min_length=1, max_length=500)]


@post("/products/{id_or_slug:str}/pictures", summary="Add a picture", tags=TAGS,
      opt=needs("catalog") | {"takes": PICTURES} | limited("upload"))  # fmt: skip
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
        raise WrongContentType(given=kind[:100] or "nothing", wanted=" or ".join(PICTURES))
    platform = shop_of(request).platform
    content = await asyncio.to_thread(images.accepted, await request.body())
    key = await asyncio.to_thread(platform.files.put, content, "webp")
    url = f"/api/v1/media/{key}"

    async def work(tx: Tx) -> UUID:
        picture = await catalog.pictures.add(tx, id_or_slug, url, alt, sku)
        await noted(request, tx, "pictures.add", id_or_slug, after={"picture": picture, "url": url})
        return picture

    return Uploaded(await platform.db.transact(work), url)


@patch("/pictures/{picture_id:uuid}", summary="Describe a picture", tags=TAGS, opt=needs("catalog"), status_code=204)
async def describe_picture(request: AnyRequest, picture_id: UUID, data: Description) -> None:
    """Say in words what a picture shows, for who cannot see it.

    Errors: `picture_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, picture=picture_id)
        alt = await catalog.pictures.describe(tx, picture_id, data.alt)
        await noted(request, tx, "pictures.describe", product, before={"alt": alt}, after={"alt": data.alt})

    await shop_of(request).platform.db.transact(work)


@put("/products/{id_or_slug:str}/pictures/order", summary="Put pictures in order", tags=TAGS, opt=needs("catalog"),
     status_code=204)  # fmt: skip
async def order_pictures(request: AnyRequest, id_or_slug: str, data: Order) -> None:
    """Show the pictures of a product in this order; the first stands for it in lists.

    Errors: `product_not_found`, `picture_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, id_or_slug)
        before = await facts_of(tx, product)
        await catalog.pictures.order(tx, product, data.pictures)
        await noted(request, tx, "pictures.order", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


@delete("/pictures/{picture_id:uuid}", summary="Take out a picture", tags=TAGS, opt=needs("catalog"))
async def drop_picture(request: AnyRequest, picture_id: UUID) -> None:
    """Take a picture off its product.

    Errors: `picture_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        product = await catalog.edit.held(tx, picture=picture_id)
        before = await facts_of(tx, product)
        await catalog.pictures.drop(tx, picture_id)
        await noted(request, tx, "pictures.drop", product, before=before, after=await facts_of(tx, product))

    await shop_of(request).platform.db.transact(work)


ROUTES = [add_picture, describe_picture, order_pictures, drop_picture]
