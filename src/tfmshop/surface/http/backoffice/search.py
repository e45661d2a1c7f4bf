"""Search, for staff: synonyms, and what was looked for in vain."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get, put
from msgspec import Meta

from tfmshop.commerce import search
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Limit

Word = Annotated[str, Meta(min_length=1, max_length=100)]


class Means(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a term also means."""

    means: Annotated[list[Word], Meta(min_length=1, max_length=20)]


class Synonyms(msgspec.Struct, frozen=True):
    """Every synonym."""

    items: list[search.Synonym]


class Missed(msgspec.Struct, frozen=True):
    """Queries that found nothing."""

    items: list[search.Missed]


@get("/search/synonyms", summary="List synonyms", tags=["admin: search"], opt=needs("search"))
async def list_synonyms(request: AnyRequest) -> Synonyms:
    """Every synonym, by language.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Synonyms(await search.synonyms(tx))


@put("/search/synonyms/{term:str}", summary="Set a synonym", tags=["admin: search"], opt=needs("search"))
async def set_synonym(request: AnyRequest, term: str, data: Means) -> search.Synonym:
    """Who looks for the term also looks for what it means, from now on.

    Errors: `no_words`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.tx() as tx:
        known = {(one.language, one.term): one for one in await search.synonyms(tx)}
        synonym = await search.set_synonym(tx, term[:100], data.means)
        before = known.get((synonym.language, synonym.term))
        await noted(request, tx, "synonyms.set", synonym.term, before=before, after=synonym)
    return synonym


@delete("/search/synonyms/{term:str}", summary="Take out a synonym", tags=["admin: search"], opt=needs("search"))
async def drop_synonym(request: AnyRequest, term: str) -> None:
    """Take a synonym out; one that is not there is out already.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.tx() as tx:
        before = await search.drop_synonym(tx, term)
        if before is not None:
            await noted(request, tx, "synonyms.drop", before.term, before=before)


@get("/search/missed", summary="List queries without results", tags=["admin: search"], opt=needs("search"))
async def list_missed(request: AnyRequest, limit: Limit = 20) -> Missed:
    """What was looked for in vain, most frequent first: gaps in the range, its words or the synonyms.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Missed(await search.missed(tx, limit))


ROUTES = [list_synonyms, set_synonym, drop_synonym, list_missed]
