"""Search and suggestions."""

from __future__ import annotations

import msgspec
from litestar import get

from tfmshop.commerce import search
from tfmshop.surface.http.answers import Public, documented
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Cursor, Limit, Words


class Suggestions(msgspec.Struct, frozen=True):
    """What the typed letters may become."""

    items: list[search.Suggestion]


@get("/search", summary="Search products", tags=["search"], responses=documented(search.Hits, "What was found."))
async def find(request: AnyRequest, q: Words, limit: Limit = 20, cursor: Cursor = None) -> Public:
    """Products that have all the words, best first.

    Errors: `invalid_request`, `bad_cursor`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Public(await search.find(tx, q, cursor=cursor, limit=limit))


@get("/search/suggest", summary="Suggest products", tags=["search"], responses=documented(Suggestions, "Suggestions."))
async def suggest(request: AnyRequest, q: Words) -> Public:
    """Up to 10 products whose title contains what was typed.

    Errors: `invalid_request`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Public(Suggestions(await search.suggest(tx, q)))


ROUTES = [find, suggest]
