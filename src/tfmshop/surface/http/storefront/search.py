"""Search and suggestions."""

from __future__ import annotations

import msgspec
from litestar import get

from tfmshop.commerce import search
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import PUBLIC, Cursor, Limit, Words


class Suggestions(msgspec.Struct, frozen=True):
    """What the typed letters may become."""

    items: list[search.Suggestion]


@get("/search", summary="Search products", tags=["search"], cache_control=PUBLIC)
async def find(request: AnyRequest, q: Words, limit: Limit = 20, cursor: Cursor = None) -> search.Hits:
    """Products that have all the words, best first.

    Errors: `invalid_request`, `bad_cursor`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return await search.find(tx, q, cursor=cursor, limit=limit)


@get("/search/suggest", summary="Suggest products", tags=["search"], cache_control=PUBLIC)
async def suggest(request: AnyRequest, q: Words) -> Suggestions:
    """Up to 10 products whose title contains what was typed.

    Errors: `invalid_request`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Suggestions(await search.suggest(tx, q))


ROUTES = [find, suggest]
