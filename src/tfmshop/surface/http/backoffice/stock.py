"""Stock, for staff: levels, counts of many variants at once, movements."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, put
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import inventory
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.storefront.parameters import Limit


class Levels(msgspec.Struct, frozen=True):
    """Levels, fewest units first."""

    items: list[inventory.levels.Listed]


class Movements(msgspec.Struct, frozen=True):
    """Changes of a level, the newest first."""

    items: list[inventory.levels.Movement]


class Counts(msgspec.Struct, forbid_unknown_fields=True):
    """What was counted in a warehouse: all of it is set, or none."""

    items: Annotated[list[inventory.correct.Count], Meta(min_length=1, max_length=500)]
    warehouse: Annotated[str, Meta(min_length=1, max_length=30)] = "main"


class Set(msgspec.Struct, frozen=True):
    """How many units of each SKU are free now."""

    units: dict[str, int]


@get("/stock", summary="List stock", tags=["admin: stock"], opt=needs("stock"))
async def list_levels(
    request: AnyRequest,
    limit: Limit = 20,
    at_most: Annotated[int, Parameter(ge=0, le=10**9, description="Only variants with so many units or fewer.")] = 10
    ** 9,
    low: Annotated[bool, Parameter(description="Only variants that count as low.")] = False,
) -> Levels:
    """Free and reserved units, how many may be owed, and when it counts as low; fewest first.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Levels(await inventory.levels.listed(tx, at_most, limit, low=low))


@put("/stock", summary="Set stock", tags=["admin: stock"], opt=needs("stock"))
async def set_levels(request: AnyRequest, data: Counts) -> Set:
    """Set the free units of up to 500 variants; with `expected`, only if there are as many as were believed.

    Errors: `product_not_found`, `warehouse_not_found`, `stale_level`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """

    async def work(tx: Tx) -> Set:
        changed = await inventory.correct.set_many(tx, data.items, data.warehouse)
        before, after = ({sku: pair[at] for sku, pair in changed.items()} for at in (0, 1))
        await noted(request, tx, "stock.set", data.warehouse, before=before, after=after)
        return Set(after)

    return await shop_of(request).platform.db.transact(work)


@get("/stock/{sku:str}/movements", summary="List movements", tags=["admin: stock"], opt=needs("stock"))
async def list_movements(request: AnyRequest, sku: str, limit: Limit = 20) -> Movements:
    """What was set, sold, returned or moved of a variant.

    Errors: `product_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Movements(await inventory.levels.history(tx, sku, limit))


ROUTES = [list_levels, set_levels, list_movements]
