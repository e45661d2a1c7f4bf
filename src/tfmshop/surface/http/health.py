"""Is the shop alive, and can it work?"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get

from tfmshop import __version__
from tfmshop.platform.errors import ShopError
from tfmshop.surface.http.context import AnyRequest, Shop, shop_of
from tfmshop.surface.http.tiers import FREE, limited


class Health(msgspec.Struct, frozen=True):
    """The state in one word: `ok`, `degraded` (Redis is away) or `down` (PostgreSQL is away)."""

    status: str
    version: str
    database: str
    redis: str


async def look(shop: Shop) -> Health:
    """Ask each dependency."""
    try:
        await shop.platform.db.ping()
        database = "ok"
    except ShopError:
        database = "down"
    redis = "ok" if await shop.platform.redis.answers() else "down"
    status = "down" if database == "down" else "degraded" if redis == "down" else "ok"
    return Health(status, __version__, database, redis)


async def _answer(request: AnyRequest) -> Response[Health]:
    health = await look(shop_of(request))
    headers: dict[str, Any] = {"retry-after": "1"} if health.status == "down" else {}
    return Response(health, status_code=503 if health.status == "down" else 200, headers=headers)


@get("/health", summary="State of the shop and what it needs", tags=["operations"], opt=limited(FREE))
async def health(request: AnyRequest) -> Response[Health]:
    """200 when the shop can work (also without Redis: `degraded`), 503 when it cannot."""
    return await _answer(request)


@get("/health/ready", summary="Can requests be sent here?", tags=["operations"], opt=limited(FREE))
async def ready(request: AnyRequest) -> Response[Health]:
    """200 when PostgreSQL answers, 503 otherwise."""
    return await _answer(request)


@get("/health/startup", summary="Has the process started?", tags=["operations"], opt=limited(FREE))
async def startup(request: AnyRequest) -> Response[Health]:
    """As ready: 200 once the process can work."""
    return await _answer(request)


@get("/health/live", summary="Is the process alive?", tags=["operations"], sync_to_thread=False, opt=limited(FREE))
def live() -> dict[str, str]:
    """200 as long as the process answers at all; asks nothing of others."""
    return {"status": "alive"}


ROUTES = [health, ready, startup, live]
