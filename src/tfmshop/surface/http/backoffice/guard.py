"""Who may come in: each route names its permission, and a route without one does not start."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from tfmshop.commerce import accounts
from tfmshop.surface.http.context import shop_of, viewer_of

PERMISSION = "permission"


def needs(permission: str) -> dict[str, str]:
    """What a route says of itself: `@get(..., opt=needs("catalog"))`."""
    return {PERMISSION: permission}


def staff_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let staff with the route's permission in. `SignInRequired`, `InvalidToken`, `NotAllowed`,
    `SecondFactorNeeded` in production.
    """
    viewer = viewer_of(connection)
    if viewer is None:
        raise accounts.SignInRequired
    accounts.check(viewer.role, handler.opt.get(PERMISSION, ""))
    if not viewer.strong and shop_of(connection).platform.config.text("APP_ENV") == "production":
        raise accounts.SecondFactorNeeded
