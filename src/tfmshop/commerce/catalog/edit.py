"""Changing one product: its facts, slug, status and schedule, its variants, what goes with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tfmshop.commerce.catalog import attributes
from tfmshop.commerce.catalog.errors import (
    BadPrice,
    BadSpecification,
    CategoryNotFound,
    PictureNotFound,
    ProductNotFound,
    SlugTaken,
    StaleVersion,
)
from tfmshop.commerce.catalog.store_edit import (
    ADD_PICTURE,
    CHANGE_PRODUCT,
    CHANGE_VARIANT,
    DROP_PICTURE,
    DROP_RELATED,
    FIND_PRODUCT,
    LEAD_PICTURE,
    LEAD_PRICE,
    NEXT_PICTURE,
    NOTE_SLUG,
    SET_RELATED,
    TAKE_BACK_SLUG,
)
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Refused, Tx

Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
Slug = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)")]


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall be different about a product; what is not named stays. `category_id` by id.

    `publish_at` makes a draft active and `withdraw_at` archives a product when their time comes.
    """

    title: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    model: Annotated[str, Meta(max_length=500)] | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=100_000)] | UnsetType = UNSET
    category_id: UUID | UnsetType | None = UNSET
    status: Literal["draft", "active", "archived"] | UnsetType = UNSET
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=100)] | UnsetType = UNSET
    specifications: dict[str, Any] | UnsetType = UNSET
    badge: Annotated[str, Meta(max_length=40)] | UnsetType | None = UNSET
    featured: bool | UnsetType = UNSET
    publish_at: datetime | UnsetType | None = UNSET
    withdraw_at: datetime | UnsetType | None = UNSET


class VariantChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall be different about a variant."""

    title: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    price: Amount | UnsetType = UNSET
    compare_at_price: Amount | UnsetType | None = UNSET
    weight_g: Annotated[int, Meta(ge=0, le=2000000000)] | UnsetType | None = UNSET
    barcode: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET


async def change(tx: Tx, id_or_slug: str, changes: Changes, version: int | None = None) -> int:
    """Change a product, on sale or not; its new version. An old slug goes on leading to it.

    `ProductNotFound`, `SlugTaken`, `BadSpecification`; `StaleVersion` when it is not at `version` any more.
    """
    id = ids.parse(id_or_slug)
    row = await tx.row(FIND_PRODUCT, id, None if id else id_or_slug)
    if row is None:
        raise ProductNotFound
    if version is not None and row["version"] != version:
        raise StaleVersion(version=row["version"])
    wanted: dict[str, Any] = {name: row[name] for name in changes.__struct_fields__}
    wanted["specifications"] = codec.decode(row["specifications"])
    wanted |= {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    if changes.specifications is not UNSET:
        wanted["specifications"] = await attributes.checked(tx, wanted["category_id"], wanted["specifications"])
    wanted["specifications"] = codec.encode_text(wanted["specifications"])
    for name in ("publish_at", "withdraw_at"):
        wanted[name] = _moment(name, wanted[name])
    if wanted["slug"] != row["slug"]:
        await tx.execute(TAKE_BACK_SLUG, wanted["slug"], row["id"])
        await tx.execute(NOTE_SLUG, row["slug"], row["id"])
    try:
        async with tx.savepoint():
            new: int = await tx.value(CHANGE_PRODUCT, row["id"], *wanted.values())
    except Refused as error:
        if error.constraint == "product_category_fkey":
            raise CategoryNotFound from None
        raise SlugTaken(slug=wanted["slug"]) from None
    return new


def _moment(name: str, moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment is not None else None
    except OverflowError:
        raise BadSpecification(name=name, why="out of range") from None


async def change_variant(tx: Tx, sku: str, changes: VariantChanges) -> None:
    """Change a variant; its former price is kept, and its product's lists show the new one. `ProductNotFound`.

    `BadPrice` when the price to compare with is not above the price.
    """
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    args = [(given.get(name), name in given) for name in changes.__struct_fields__]
    try:
        async with tx.savepoint():
            product = await tx.value(CHANGE_VARIANT, sku, *(part for pair in args for part in pair))
    except Refused:
        raise BadPrice from None
    if product is None:
        raise ProductNotFound
    await tx.execute(LEAD_PRICE, product)


async def add_picture(tx: Tx, id_or_slug: str, url: str, alt: str, sku: str | None) -> UUID:
    """Add a picture after the others, of one variant if `sku` says so; its id. `ProductNotFound`."""
    id = ids.parse(id_or_slug)
    picture: UUID | None = await tx.value(ADD_PICTURE, ids.new(), id, None if id else id_or_slug, url, alt, sku)
    if picture is None:
        raise ProductNotFound
    await tx.execute(LEAD_PICTURE, picture)
    return picture


async def drop_picture(tx: Tx, picture: UUID) -> None:
    """Take a picture out; its product shows the next one in lists. `PictureNotFound`."""
    product = await tx.value(DROP_PICTURE, picture)
    if product is None:
        raise PictureNotFound
    await tx.execute(NEXT_PICTURE, product)


async def relate(tx: Tx, product_id: UUID, others: list[UUID]) -> None:
    """Choose the products that go with one, in this order. `ProductNotFound`."""
    await tx.execute(DROP_RELATED, product_id)
    try:
        async with tx.savepoint():
            await tx.execute(SET_RELATED, product_id, [other for other in others if other != product_id])
    except Refused:
        raise ProductNotFound from None
