"""Answers of public routes, made by their handlers without what the framework does around them.

A public answer depends on nothing but path and query, so there is nothing to guard, to clean up or to negotiate; the
framework still reads the parameters. On the page of a product the rest of it was a seventh of the time spent in Python
(decisions/0032-public-pages-directly.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from litestar.routes import HTTPRoute

from tfmshop.surface.http import problems
from tfmshop.surface.http.answers import Public, Refused
from tfmshop.surface.http.context import StrictRequest
from tfmshop.surface.http.paths import parts_of
from tfmshop.surface.http.routing import before

if TYPE_CHECKING:
    from litestar import Litestar

    from tfmshop.surface.http.context import Shop

_ASKED: Final = {
    "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
    "scheme": "http", "root_path": "", "server": None, "client": None, "headers": [(b"host", b"shop")],
}  # fmt: skip
"""Who asks for a page that is shared: nobody."""


class Maker:
    """Makes the answers of one route."""

    def __init__(self, app: Litestar, route: HTTPRoute) -> None:
        self._handler, self._parameters = route.route_handler_map["GET"]
        self._fixed: Mapping[str, Any] = {**_ASKED, "litestar_app": app, "route_handler": self._handler}
        self._names = [
            (n, part[1:].partition(":")[0].rstrip("}"))
            for n, part in enumerate(parts_of(route.path)) if part.startswith("{")
        ]  # fmt: skip

    async def make(self, shop: Shop, parts: list[str], query: bytes, request_id: str) -> Public | Refused:
        """The answer to the parts of a path that fits the route, and a query."""
        path = "/" + "/".join(parts)
        state = {"request_id": request_id, "shop": shop}
        asked: Any = {
            **self._fixed, "path": path, "raw_path": path.encode(), "query_string": query, "state": state,
            "path_params": {name: parts[n] for n, name in self._names},
        }  # fmt: skip
        request = StrictRequest(asked)
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - as in the framework, each has an answer; bugs are logged there
            return Refused(error, problems.of(request, error))

    async def _answer(self, request: StrictRequest) -> Public:
        await before(request)
        given = await self._parameters.to_kwargs(connection=request)
        if self._parameters.dependency_batches:
            await self._parameters.resolve_dependencies(request, given)
        model = self._handler.signature_model
        values = model.parse_values_from_connection_kwargs(connection=request, kwargs=given)
        answer: Public = await self._handler.fn(**values)
        return answer
