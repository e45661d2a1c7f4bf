"""Products: lists and pages."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from litestar import get
from litestar.params import Parameter

from tfmshop.commerce import catalog
from tfmshop.surface.http.answers import Public, documented
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Cursor, Limit, Name

Amount = Annotated[int | None, Parameter(ge=0, le=10**15, description="In minor units (cents).")]
Sort = Literal["newest", "price", "-price", "rating", "title", "popular", "relevance"]

MOST_SPECIFICATIONS: Final = 5
LONGEST_VALUE: Final = 200
_SPECIFICATION: Final = re.compile(r"spec\[(.{1,100})\]", re.DOTALL)


@get(
    "/products",
    summary="List products",
    tags=["products"],
    responses=documented(catalog.Listing, "A page of products."),
)
async def list_products(
    request: AnyRequest,
    q: Annotated[str | None, Parameter(max_length=200, description="Words to find.")] = None,
    category: Annotated[str | None, Parameter(max_length=200, description="Slug or id; with descendants.")] = None,
    brand: Name = None,
    min_price: Amount = None,
    max_price: Amount = None,
    in_stock: bool | None = None,
    rating_min: Annotated[float | None, Parameter(ge=0, le=5)] = None,
    tag: Annotated[list[str] | None, Parameter(max_items=10, description="Repeatable; all must fit.")] = None,
    sort: Sort | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    page: Annotated[int | None, Parameter(ge=1, le=10_000, description="Instead of a cursor, for people.")] = None,
    count: Annotated[Literal["exact"] | None, Parameter(description="Count all matches exactly.")] = None,
) -> Public:
    """Products on sale, filtered and sorted, a page at a time.

    `spec[name]=value` filters by a specification and may be repeated for different names. `total` is exact up to
    1,000 matches and an estimate above, unless `count=exact`.

    Errors: `invalid_request`, `bad_cursor`, `page_too_deep`.
    """
    wanted = catalog.Wanted(
        q=q or None, category=category, brand=brand, min_price=min_price, max_price=max_price, in_stock=in_stock,
        rating_min=rating_min, tags=tag or [], specifications=_specifications(request), sort=sort, limit=limit,
        cursor=cursor, page=page, exact_count=count == "exact",
    )  # fmt: skip
    async with shop_of(request).platform.db.read() as tx:
        return Public(await catalog.browse(tx, wanted))


@get(
    "/products/{id_or_slug:str}",
    summary="Show a product",
    tags=["products"],
    responses=documented(catalog.Product, "The page of the product."),
)
async def show_product(request: AnyRequest, id_or_slug: str) -> Public:
    """The whole page of a product, by id or slug: variants with price and stock, pictures, breadcrumbs, related.

    Errors: `product_not_found`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Public(await catalog.show(tx, id_or_slug))


def _specifications(request: AnyRequest) -> dict[str, str]:
    if b"spec" not in request.scope["query_string"]:
        return {}
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("spec["):
            match = _SPECIFICATION.fullmatch(name)
            if match is None or len(value) > LONGEST_VALUE:
                raise InvalidField("spec", "Write spec[name]=value, with at most 100 and 200 characters.")
            found[match[1]] = value
    if len(found) > MOST_SPECIFICATIONS:
        raise InvalidField("spec", f"At most {MOST_SPECIFICATIONS} specifications.")
    return found


ROUTES = [list_products, show_product]
