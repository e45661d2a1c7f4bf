"""Routers whose paths answer OPTIONS for all of their methods, and refuse a parameter that comes twice."""

from __future__ import annotations

from typing import Any, Final

from litestar import Router

from tfmshop.surface.http.context import AnyRequest, let_the_current_act
from tfmshop.surface.http.problems import InvalidField

REPEATABLE: Final = ("tag", "spec[")
"""Parameters that may come more than once: a name, or how names begin."""


class WholeRouter(Router):
    """A router that leaves OPTIONS to the framework's own answer, which knows every method of a path.

    Each handler brings an answer of its own to OPTIONS, and the framework would keep that of the first.
    """

    @property
    def route_handler_method_map(self) -> Any:
        """Handlers by path and method, without those for OPTIONS."""
        return {
            path: {method: handler for method, handler in handlers.items() if method != "OPTIONS"}
            for path, handlers in super().route_handler_method_map.items()
        }


async def before_shopping(request: AnyRequest) -> None:
    """As `before`, and refuse who may act no more: `SignInRequired`, `OnlyLooking`."""
    await let_the_current_act(request)
    await before(request)


async def before(request: AnyRequest) -> None:
    """Refuse what no route takes: a parameter twice. `InvalidField`.

    A coroutine, because the framework would start a thread for a plain function.
    """
    if b"&" not in request.scope["query_string"]:
        return
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen and not name.startswith(REPEATABLE):
            raise InvalidField(name, "This comes twice.")
        seen.add(name)
