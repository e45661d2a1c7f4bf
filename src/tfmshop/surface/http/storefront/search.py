"""Search and suggestions."""

from __future__ import annotations

import msgspec
from litestar import get

from tfmshop.commerce import search
from tfmshop.surface.http.answers import Public, documented
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import (
    Amount,
    Category,
    Cursor,
    FacetNames,
    Limit,
    Name,
    Page,
    Rating,
    Sort,
    Tags,
    Words,
    facet_names,
    specifications,
)


class Suggestions(msgspec.Struct, frozen=True):
    """What the typed letters may become."""

    items: list[search.Suggestion]


@get("/search", summary="Search products", tags=["search"], responses=documented(search.Listing, "What was found."))
async def find(
    request: AnyRequest,
    q: Words,
    category: Category = None,
    brand: Name = None,
    min_price: Amount = None,
    max_price: Amount = None,
    in_stock: bool | None = None,
    rating_min: Rating = None,
    tag: Tags = None,
    sort: Sort = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    page: Page = None,
    facets: FacetNames = None,
) -> Public:
    """Products by words, best first: `"a phrase"`, `-without`, `begin*`; filters and facets as for products.

    Each hit has its title with the found words in `<em>`. When the words find nothing, the nearest words of the
    catalogue are tried: `corrected` tells them.

    Errors: `invalid_request`, `bad_cursor`, `page_too_deep`.
    """
    wanted = search.Wanted(
        q=q, category=category, brand=brand, min_price=min_price, max_price=max_price, in_stock=in_stock,
        rating_min=rating_min, tags=tag or [], specifications=specifications(request), sort=sort, limit=limit,
        cursor=cursor, page=page, facets=facet_names(facets), highlight=True,
    )  # fmt: skip
    async with shop_of(request).platform.db.read() as tx:
        return Public(await search.find(tx, wanted))


@get("/search/suggest", summary="Suggest products", tags=["search"], responses=documented(Suggestions, "Suggestions."))
async def suggest(request: AnyRequest, q: Words) -> Public:
    """Up to 10 categories and products with words that begin like those typed.

    Errors: `invalid_request`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Public(Suggestions(await search.suggest(tx, q)))


ROUTES = [find, suggest]
