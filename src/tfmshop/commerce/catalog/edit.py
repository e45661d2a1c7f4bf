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
from tfmshop.commerce.catalog.model import Facts
from tfmshop.commerce.catalog.slugs import may_be_slug
from tfmshop.commerce.catalog.store import SHOW_VARIANTS
from tfmshop.commerce.catalog.store_edit import (
    ADD_PICTURE,
    CHANGE_PRODUCT,
    CHANGE_VARIANT,
    DROP_PICTURE,
    DROP_RELATED,
    FIND_PRODUCT,
    HOLD,
    LEAD_PICTURE,
    NEXT_PICTURE,
    NOTE_SLUG,
    SET_RELATED,
    TAKE_BACK_SLUG,
    TOUCH,
    VERSION_OF,
)
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, YEARS
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Refused, Tx

Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
Slug = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)")]
TaxClass = Annotated[str, Meta(min_length=1, max_length=50)]
Moment = Annotated[datetime, Meta(tz=True)]
Specifications = Facts


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
    specifications: Specifications | UnsetType = UNSET
    badge: Annotated[str, Meta(max_length=40)] | UnsetType | None = UNSET
    featured: bool | UnsetType = UNSET
    publish_at: Moment | UnsetType | None = UNSET
    withdraw_at: Moment | UnsetType | None = UNSET
    tax_class: TaxClass | UnsetType = UNSET


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
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    if not given:
        return int(row["version"])
    wanted |= given
    if changes.specifications is not UNSET:
        wanted["specifications"] = await attributes.checked(tx, wanted["category_id"], wanted["specifications"])
    wanted["specifications"] = codec.encode_text(wanted["specifications"])
    for name in ("publish_at", "withdraw_at"):
        wanted[name] = _moment(name, wanted[name])
    if wanted["slug"] != row["slug"]:
        if not may_be_slug(wanted["slug"]):
            raise SlugTaken(slug=wanted["slug"])
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


async def found(tx: Tx, id_or_slug: str) -> tuple[UUID, int]:
    """Id and version of a product, on sale or not. `ProductNotFound`."""
    id = ids.parse(id_or_slug)
    row = await tx.row(VERSION_OF, id, None if id else id_or_slug)
    if row is None:
        raise ProductNotFound
    return row["id"], row["version"]


def _moment(name: str, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.year not in YEARS:
        raise BadSpecification(name=name, why="out of range")
    return moment.astimezone(UTC)


async def held(tx: Tx, id_or_slug: str = "", *, sku: str | None = None, picture: UUID | None = None) -> UUID:
    """The product that is asked for, changed by nobody else until the end: what is read of it later is true.

    Imports lock in this order, too: the product before its variants.
    """
    id = ids.parse(id_or_slug)
    found: UUID | None = await tx.value(HOLD, id, None if id else id_or_slug or None, sku, picture)
    if found is None:
        raise PictureNotFound if picture else ProductNotFound
    return found


async def change_variant(tx: Tx, sku: str, changes: VariantChanges, version: int | None = None) -> None:
    """Change a variant, if its product is at `version`; its former price is kept, and the product's lists show the new
    one. `ProductNotFound`, `StaleVersion`.

    `BadPrice` when the price to compare with is not above the price.
    """
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    args = [(given.get(name), name in given) for name in changes.__struct_fields__]
    product = await held(tx, sku=sku)
    if version is not None and (now := (await found(tx, str(product)))[1]) != version:
        raise StaleVersion(version=now)
    if not given:
        return
    try:
        async with tx.savepoint():
            changed = await tx.value(CHANGE_VARIANT, sku, *(part for pair in args for part in pair))
    except Refused:
        raise BadPrice from None
    if changed != product:
        raise ProductNotFound
    await tx.execute(SHOW_VARIANTS, [product])
    await tx.execute(TOUCH, product)


async def add_picture(tx: Tx, id_or_slug: str, url: str, alt: str, sku: str | None) -> UUID:
    """Add a picture after the others, of one variant if `sku` says so; its id. `ProductNotFound`."""
    product = await held(tx, id_or_slug)
    picture: UUID | None = await tx.value(ADD_PICTURE, ids.new(), product, url, alt, sku)
    if picture is None:
        raise ProductNotFound
    await tx.execute(LEAD_PICTURE, picture)
    return picture


async def drop_picture(tx: Tx, picture: UUID) -> None:
    """Take a picture out; its product shows the next one in lists. `PictureNotFound`."""
    product = await held(tx, picture=picture)
    if await tx.value(DROP_PICTURE, picture) is None:
        raise PictureNotFound
    await tx.execute(NEXT_PICTURE, product)


async def relate(tx: Tx, product_id: UUID, others: list[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Choose the products that go with one, in this order; those before, and those from now on. `ProductNotFound`."""
    after = [other for other in dict.fromkeys(others) if other != product_id]
    before = sorted(await tx.rows(DROP_RELATED, product_id), key=lambda row: int(row["position"]))
    try:
        async with tx.savepoint():
            await tx.execute(SET_RELATED, product_id, after)
    except Refused:
        raise ProductNotFound from None
    return [row["other_id"] for row in before], after
