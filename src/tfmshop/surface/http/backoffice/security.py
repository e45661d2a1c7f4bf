"""Who is kept out, for staff."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get
from litestar.params import Parameter

from tfmshop.platform import limits
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of


class BlockNotFound(ShopError, kind=Kind.NOT_FOUND, code="block_not_found", says="Nobody of that key is kept out."):
    """The block ended, was lifted, or never was."""


Key = Annotated[str, Parameter(min_length=1, max_length=200, description="As the list has it.")]


class Blocks(msgspec.Struct, frozen=True):
    """Who is kept out now, the longest first."""

    items: list[limits.Block]


@get("/security/blocks", summary="List who is kept out", tags=["admin: security"], opt=needs("security"))
async def list_blocks(request: AnyRequest) -> Blocks:
    """Addresses that are kept out of everything (`all:`) or of signing in (`sign-in:`), until when and why.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Blocks(await limits.blocks(tx))


@delete("/security/blocks", summary="Let somebody in again", tags=["admin: security"], opt=needs("security"))
async def lift_block(request: AnyRequest, key: Key) -> None:
    """Web servers hear of it within a second.

    Errors: `block_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> None:
        before = next((block for block in await limits.blocks(tx) if block.key == key), None)
        if not await limits.lift(tx, key):
            raise BlockNotFound
        await noted(request, tx, "security.lift", key, before=before)

    await shop_of(request).platform.db.transact(work)


ROUTES = [list_blocks, lift_block]
