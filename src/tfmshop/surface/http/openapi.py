"""The OpenAPI document, generated from the routes."""

from __future__ import annotations

from functools import cache

from litestar import Litestar, Response, get

from tfmshop.platform import codec
from tfmshop.surface.http.context import AnyRequest


@cache
def _encoded(app: Litestar) -> bytes:
    return codec.encode(app.openapi_schema.to_schema())


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def document(request: AnyRequest) -> Response[bytes]:
    """Every operation of this shop."""
    return Response(_encoded(request.app), media_type="application/json", headers={"cache-control": "public, no-cache"})
