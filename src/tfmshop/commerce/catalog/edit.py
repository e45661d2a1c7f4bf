"""Changing one product: its facts, slug, status and schedule, what goes with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tfmshop.commerce.catalog import attributes
from tfmshop.commerce.catalog.brands import brand_id
from tfmshop.commerce.catalog.errors import (
    BadSpecification,
    CategoryNotFound,
    PictureNotFound,
    ProductNotFound,
    SlugTaken,
    StaleVersion,
)
from tfmshop.commerce.catalog.model import Facts
from tfmshop.commerce.catalog.slugs import may_be_slug
from tfmshop.commerce.catalog.store_edit import (
    CHANGE_PRODUCT,
    DROP_RELATED,
    FIND_PRODUCT,
    HOLD,
    NOTE_SLUG,
    SET_RELATED,
    TAKE_BACK_SLUG,
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
    """What shall be different about a product; what is not named stays. `category_id` by id; a new `brand` is made.

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
    brand: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")] | UnsetType | None = UNSET


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
    if changes.brand is not UNSET:
        wanted["brand"] = await brand_id(tx, changes.brand)
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
