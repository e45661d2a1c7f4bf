"""Who may come in: each route names its permission, and a route without one does not start."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from tfmshop.commerce import accounts
from tfmshop.surface.http.context import viewer_of

PERMISSION = "permission"


def needs(permission: str) -> dict[str, str]:
    """What a route says of itself: `@get(..., opt=needs("catalog"))`."""
    return {PERMISSION: permission}


def staff_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let staff with the route's permission in. `SignInRequired`, `InvalidToken`, `NotAllowed`."""
    viewer = viewer_of(connection)
    if viewer is None:
        raise accounts.SignInRequired
    accounts.check(viewer.role, handler.opt.get(PERMISSION, ""))
