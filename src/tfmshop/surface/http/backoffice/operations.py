"""How the shop does, for staff who look after it."""

from __future__ import annotations

import asyncio

from litestar import get

from tfmshop.platform.observe import metrics, readings
from tfmshop.platform.observe.readings import Reading
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.health import OPERATIONS, Health, look


@get("/health", summary="See the whole health of the shop", tags=["admin: operations"], opt=needs(OPERATIONS))
async def show_health(request: AnyRequest) -> Health:
    """What each dependency answered last, cache, jobs, disk, memory and versions.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    return await look(shop_of(request))


@get("/metrics", summary="See everything that is measured", tags=["admin: operations"], opt=needs(OPERATIONS))
async def show_metrics() -> Reading:
    """Every metric of all processes of this installation, as of now.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    metrics.sample()
    return await asyncio.to_thread(readings.read)


ROUTES = [show_health, show_metrics]
