"""The OpenAPI document, generated from the routes; errors come from the `Errors:` lines of their docstrings."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Response, get

from tfmshop.platform import codec
from tfmshop.platform.errors import CODES
from tfmshop.surface.http.context import AnyRequest
from tfmshop.surface.http.problems import HTTP_CODES, STATUS

PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457). Some codes add facts of their own, such as `sku` and `free`.",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; docs/errors.md lists them."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
    },
}
_ERRORS: Final = re.compile(r"Errors:(.*)", re.DOTALL)
_OF_HTTP: Final = {code: status for status, (code, _) in HTTP_CODES.items()}


def named_errors(description: str) -> list[str]:
    """The codes that an operation's description names."""
    found = _ERRORS.search(description)
    return re.findall(r"`([a-z_]+)`", found[1]) if found else []


def status_of(code: str) -> int:
    """The status that an error is sent with. KeyError for a code that does not exist."""
    return STATUS[CODES[code].kind] if code in CODES else _OF_HTTP[code]


@cache
def _encoded(app: Litestar) -> bytes:
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"]["schemas"]["Problem"] = PROBLEM
    for operations in document["paths"].values():
        for operation in operations.values():
            _tell_errors(operation)
    return codec.encode(document)


def _tell_errors(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("400", None)
    by_status: dict[int, list[str]] = {}
    for code in named_errors(operation.get("description", "")):
        by_status.setdefault(status_of(code), []).append(code)
    if "requestBody" in operation:
        by_status.setdefault(400, []).append("malformed_request")
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def document(request: AnyRequest) -> Response[bytes]:
    """Every operation of this shop."""
    return Response(_encoded(request.app), media_type="application/json", headers={"cache-control": "public, no-cache"})
