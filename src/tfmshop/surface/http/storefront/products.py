"""Products: lists and pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import Provide
from litestar.params import Parameter

from tfmshop.commerce import catalog, search
from tfmshop.surface.http.answers import Public, public
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import ExactCount, Limit, list_wanted


class Items(msgspec.Struct, frozen=True):
    """Products, without pages."""

    items: list[catalog.model.Item]


@get(
    "/products",
    summary="List products",
    tags=["products"],
    dependencies={"wanted": Provide(list_wanted, sync_to_thread=False)},
    **public(search.Listing, "A page of products.", search.cached.RESULTS),
)
async def list_products(
    request: AnyRequest,
    wanted: search.Wanted,
    q: Annotated[str | None, Parameter(max_length=200, description="Words to find.")] = None,
    count: ExactCount = None,
) -> Public:
    """Products on sale, filtered and sorted, a page at a time.

    `spec[name]=value` filters by a specification and may be repeated for different names. `total` is exact in a
    category and up to a thousand matches or more, and an estimate or a lower bound above, unless `count=exact`.

    Errors: `invalid_request`, `bad_cursor`, `page_too_deep`.
    """
    if q or count:
        wanted = replace(wanted, q=q or None, exact_count=count == "exact")
    platform = shop_of(request).platform
    listing = await platform.db.look_up(lambda tx: search.find(tx, wanted, platform.model), may_be_old=True)
    return Public(listing, search.cached.page_of(wanted, listing))


@get(
    "/products/featured",
    summary="List featured products",
    tags=["products"],
    **public(Items, "The products that staff put forward.", catalog.cached.PRODUCTS),
)
async def list_featured(request: AnyRequest, limit: Limit = 20) -> Public:
    """The products that staff put forward, newest first."""
    items = await shop_of(request).platform.db.look_up(lambda tx: catalog.featured(tx, limit), may_be_old=True)
    return Public(Items(items), catalog.cached.LIST)


@get(
    "/products/{id_or_slug:str}",
    summary="Show a product",
    tags=["products"],
    **public(catalog.model.Product, "The page of the product.", catalog.cached.PRODUCTS),
)
async def show_product(request: AnyRequest, id_or_slug: str) -> Public:
    """The whole page of a product, by id or slug: variants with price and stock, pictures, breadcrumbs, related.

    A slug that the product had before answers 301 with its present address.

    Errors: `product_not_found`.
    """
    try:
        product = await shop_of(request).platform.db.look_up(lambda tx: catalog.show(tx, id_or_slug), may_be_old=True)
    except catalog.errors.Moved as moved:
        return Public.moved(f"/api/v1/products/{moved.slug}")
    return Public(product, catalog.cached.page_of(product))


@get(
    "/products/{id_or_slug:str}/related",
    summary="List related products",
    tags=["products"],
    **public(Items, "Products that go with it.", catalog.cached.PRODUCTS),
)
async def list_related(request: AnyRequest, id_or_slug: str, limit: Limit = 12) -> Public:
    """Products that go with one: those that staff chose, then the newest of its category.

    Errors: `product_not_found`.
    """
    items = await shop_of(request).platform.db.look_up(
        lambda tx: catalog.related(tx, id_or_slug, limit), may_be_old=True
    )
    return Public(Items(items), catalog.cached.LIST)


ROUTES = [list_products, list_featured, show_product, list_related]
