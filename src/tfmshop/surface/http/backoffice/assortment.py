"""What is sold, for staff: list it whatever its status, show, add, and change many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import catalog, transfer
from tfmshop.platform import cursors
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.products import facts_of
from tfmshop.surface.http.backoffice.variants import NewVariant
from tfmshop.surface.http.backoffice.versions import tagged
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Cursor, Limit

Text = Annotated[str, Meta(max_length=500)]
Title = Annotated[str, Meta(min_length=1, max_length=500)]
Status = Literal["draft", "active", "archived"]
MOST_AT_ONCE = 100


class Entries(msgspec.Struct, frozen=True):
    """A page of products, the newest first."""

    items: list[catalog.keep.Entry]
    next_cursor: str | None


class Shown(msgspec.Struct, frozen=True):
    """A product as staff see it, field by field; `version` goes into `If-Match`."""

    id: UUID
    version: int
    facts: dict[str, Any]
    pictures: list[catalog.pictures.Picture]


class NewProduct(msgspec.Struct, forbid_unknown_fields=True):
    """A product to be added, a draft unless it says otherwise; without variants it is sold as one."""

    sku: catalog.variants.Sku
    title: Title
    price: catalog.edit.Amount
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$(?!\n)")] | None = None
    description: Annotated[str, Meta(max_length=100_000)] = ""
    brand: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    category: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=10)] = []
    model: Text | None = None
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=100)] = []
    specifications: catalog.edit.Specifications = {}
    slug: catalog.edit.Slug | None = None
    status: Status = "draft"
    published_at: Annotated[datetime, Meta(tz=True)] | None = None
    stock: Annotated[int, Meta(ge=0, le=10**9)] = 0
    variants: Annotated[list[NewVariant], Meta(max_length=100)] = []


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What shall be different about one product of many; refused if it is not at `version`."""

    product: Annotated[str, Meta(min_length=1, max_length=120)]
    changes: catalog.edit.Changes
    version: Annotated[int, Meta(ge=1, le=10**9)] | None = None


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """Changes of many products: all are made, or none."""

    items: Annotated[list[Change], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Versions(msgspec.Struct, frozen=True):
    """What each product is at now, in the order of the changes."""

    versions: list[int]


@get("/products", summary="List products", tags=["admin: catalogue"], opt=needs("catalog"))
async def list_products(
    request: AnyRequest,
    limit: Limit = 20,
    status: Annotated[Status | None, Parameter(description="Only these.")] = None,
    cursor: Cursor = None,
) -> Entries:
    """Products whatever their status, the newest first.

    Errors: `bad_cursor`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    before = cursors.moment_and_id(cursor) if cursor else None
    found = await shop_of(request).platform.db.look_up(
        lambda tx: catalog.keep.newest(tx, limit + 1, status=status, before=before)
    )
    items, last = found[:limit], found[limit - 1] if len(found) > limit else None
    return Entries(items, cursors.seal(last.created_at.isoformat(), last.id) if last else None)


@get("/products/{id_or_slug:str}", summary="Show a product", tags=["admin: catalogue"], opt=needs("catalog"))
async def show_product(request: AnyRequest, id_or_slug: str) -> Response[Shown]:
    """A product whatever its status; its `ETag`, the version, goes into `If-Match`.

    Errors: `product_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        id, version = await catalog.edit.found(tx, id_or_slug)
        return tagged(Shown(id, version, await facts_of(tx, id), await catalog.pictures.of(tx, id)))


@post("/products", summary="Add a product", tags=["admin: catalogue"], opt=needs("catalog"))
async def add_product(request: AnyRequest, data: NewProduct) -> Shown:
    """Add a product with its variants and their stock; brand and category are made where they are new.

    Errors: `cannot_add_product`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    shop = shop_of(request)
    variants = [one.to_add() for one in data.variants]
    given = msgspec.structs.asdict(data) | {
        "currency": data.currency or shop.currency, "category": tuple(data.category), "variants": variants,
    }  # fmt: skip
    product = catalog.NewProduct(**given)

    async def work(tx: Tx) -> Shown:
        id = await transfer.by_hand.add(tx, product)
        facts = await facts_of(tx, id)
        await noted(request, tx, "products.add", id, after=facts)
        return Shown(id, 1, facts, await catalog.pictures.of(tx, id))

    return await shop.platform.db.transact(work)


@post("/products/bulk", summary="Change many products", tags=["admin: catalogue"], opt=needs("catalog"),
      status_code=200)  # fmt: skip
async def change_products(request: AnyRequest, data: Changes) -> Versions:
    """Change up to 100 products in one go: if one is refused, none is changed.

    Errors: `product_not_found`, `slug_taken`, `category_not_found`, `bad_specification`, `stale_version`,
    `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> Versions:
        ids = [(await catalog.edit.found(tx, one.product))[0] for one in data.items]
        await catalog.keep.lock(tx, *sorted(set(ids)))
        versions, acts = [], []
        for id, one in zip(ids, data.items, strict=True):
            before = await facts_of(tx, id)
            versions.append(await catalog.edit.change(tx, str(id), one.changes, one.version))
            acts.append((id, before, await facts_of(tx, id)))
        for id, before, after in acts:
            await noted(request, tx, "products.change", id, before=before, after=after)
        return Versions(versions)

    return await shop_of(request).platform.db.transact(work)


ROUTES = [list_products, show_product, add_product, change_products]
