"""Search and suggestions."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from litestar import get
from litestar.di import Provide

from tfmshop.commerce import search
from tfmshop.surface.http.answers import Public, public
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import ExactCount, Words, list_wanted


class Suggestions(msgspec.Struct, frozen=True):
    """What the typed letters may become."""

    items: list[search.Suggestion]


@get(
    "/search",
    summary="Search products",
    tags=["search"],
    dependencies={"wanted": Provide(list_wanted, sync_to_thread=False)},
    **public(search.Listing, "What was found.", search.cached.RESULTS, "search"),
)
async def find(request: AnyRequest, q: Words, wanted: search.Wanted, count: ExactCount = None) -> Public:
    """Products by words, best first: `"a phrase"`, `-without`, `begin*`; filters and facets as for products.

    Each hit has its title with the found words in `<em>`. When the words find nothing, the nearest words of the
    catalogue are tried: `corrected` tells them. Where meaning is switched on, products about something similar come
    next: `by_meaning` says so, and nothing is marked.

    Errors: `invalid_request`, `bad_cursor`, `page_too_deep`.
    """
    platform = shop_of(request).platform
    wanted = replace(wanted, q=q, highlight=True, exact_count=count == "exact")
    listing = await platform.db.look_up(lambda tx: search.find(tx, wanted, platform.model), may_be_old=True)
    return Public(listing, search.cached.page_of(wanted, listing))


@get("/search/suggest", summary="Suggest products", tags=["search"],
     **public(Suggestions, "Suggestions.", search.cached.RESULTS, "search"))  # fmt: skip
async def suggest(request: AnyRequest, q: Words) -> Public:
    """Up to 10 categories and products with words that begin like those typed.

    Errors: `invalid_request`.
    """
    found = await shop_of(request).platform.db.look_up(lambda tx: search.suggest(tx, q), may_be_old=True)
    return Public(Suggestions(found), search.cached.SUGGESTIONS)


ROUTES = [find, suggest]
