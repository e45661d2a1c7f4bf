"""The rate limits: which allowance each route counts against, declared on the route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from litestar.routes import HTTPRoute

from tfmshop.platform import Config
from tfmshop.platform.limits import Tier
from tfmshop.surface.http.paths import Paths, parts_of

SETTING: Final = {
    "general": "RATE_LIMIT_GENERAL", "api": "RATE_LIMIT_API", "search": "RATE_LIMIT_SEARCH",
    "checkout": "RATE_LIMIT_CHECKOUT", "payments": "RATE_LIMIT_PAYMENTS", "auth": "RATE_LIMIT_ACCOUNTS",
    "upload": "RATE_LIMIT_UPLOAD", "admin": "RATE_LIMIT_ADMIN",
}  # fmt: skip
"""The tiers, and the setting that says how many requests a window each allows."""
FREE: Final = "free"
"""No tier: those who look after the shop may always ask how it is."""
CHECKOUT, PAYMENTS, UPLOAD, AUTH = "checkout", "payments", "upload", "auth"
"""What comes first, what payment companies tell, what may send large bodies, and what counts by address alone."""
LIMIT: Final = "limit"


def limited(tier: str) -> dict[str, str]:
    """What a route says of itself: `@post(..., opt=limited("checkout"))`. KeyError for a tier that does not exist."""
    if tier != FREE:
        SETTING[tier]
    return {LIMIT: tier}


def tiers_of(config: Config) -> dict[str, Tier]:
    """The tiers as the settings have them."""
    return {name: Tier(name, config.number(setting)) for name, setting in SETTING.items()}


NO_ROUTE: Final = "(none)"
"""What stands for every path that no route has."""


class Table:
    """The template of each path, and the tier of each method there."""

    def __init__(self, routes: Iterable[Any]) -> None:
        """`routes` are the framework's."""
        self.declared: dict[tuple[str, str], str] = {}
        self._known: Paths[tuple[str, dict[str, str]]] = Paths()
        for route in routes:
            if not isinstance(route, HTTPRoute):
                continue
            methods = {
                str(method): handler.opt.get(LIMIT, "general")
                for method, (handler, _) in route.route_handler_map.items() if method != "OPTIONS"
            }  # fmt: skip
            template = route.path_format
            self._known.add(route.path, (template, methods))
            self.declared |= {(method, template): tier for method, tier in methods.items()}

    def of(self, method: str, path: str) -> tuple[str, str]:
        """The names of the tier and of the route; what there is no route for, OPTIONS among it, counts as general."""
        found = self._known.find(parts_of(path))
        if found is None:
            return "general", NO_ROUTE
        template, methods = found
        return methods.get("GET" if method == "HEAD" else method, "general"), template
