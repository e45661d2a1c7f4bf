"""Who may come in: each route names its permission, and a route without one does not start."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from tfmshop.commerce import accounts
from tfmshop.platform.observe import security
from tfmshop.surface.http.context import address_of, shop_of, viewer_of

PERMISSION = "permission"


def needs(permission: str) -> dict[str, str]:
    """What a route says of itself: `@get(..., opt=needs("catalog"))`. KeyError for one that does not exist."""
    return {PERMISSION: permission, "meaning": accounts.permissions.PERMISSIONS[permission]}


async def staff_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let staff with the route's permission in, as the roles say at this moment. `SignInRequired`, `InvalidToken`,
    `NotAllowed`, `SecondFactorNeeded` in production.
    """
    if connection.scope.get("method") == "OPTIONS":
        return
    viewer = viewer_of(connection)
    if viewer is None:
        raise accounts.SignInRequired
    platform = shop_of(connection).platform
    try:
        async with platform.db.read() as tx:
            await accounts.permissions.check(
                tx, viewer, handler.opt[PERMISSION], strong=platform.config.text("APP_ENV") == "production"
            )
    except (accounts.permissions.NotAllowed, accounts.permissions.SecondFactorNeeded) as refused:
        security.tell("not allowed", person=viewer.id, permission=handler.opt[PERMISSION], why=refused.code,
                      address=address_of(connection))  # fmt: skip
        raise


def all_guarded(routes: list[Any]) -> list[Any]:
    """The routes of the back office, each of which names its permission: `TypeError` for one that does not."""
    for route in routes:
        if PERMISSION not in (route.opt or {}):
            raise TypeError(f"{route.handler_name} names no permission")
    return routes
