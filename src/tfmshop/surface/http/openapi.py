"""The OpenAPI document, generated from the routes; errors come from the `Errors:` lines of their docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Response, get
from litestar.routes import HTTPRoute

from tfmshop.platform import codec
from tfmshop.platform.errors import CODES
from tfmshop.surface.http.context import SIGNING_IN, AnyRequest
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
_PARTS: Final = "#/components/schemas/{name}"
_NO_NUL: Final = "^[^\\u0000]*$"
_ERRORS: Final = re.compile(r"Errors:(.*)", re.DOTALL)
_OF_HTTP: Final = {code: status for status, (code, _) in HTTP_CODES.items()}


def named_errors(description: str) -> list[str]:
    """The codes that an operation's description names."""
    found = _ERRORS.search(description)
    return re.findall(r"`([a-z_]+)`", found[1]) if found else []


def status_of(code: str) -> int:
    """The status that an error is sent with. KeyError for a code that does not exist."""
    return STATUS[CODES[code].kind] if code in CODES else _OF_HTTP[code]


ACTING: Final = ((401, "sign_in_required"), (403, "only_looking"))
"""What every change of a shopper may hear: their session ended, or they look as somebody else."""


@cache
def _encoded(app: Litestar) -> bytes:
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"]["schemas"]["Problem"] = PROBLEM
    _tell_bodies(app, document)
    for path, operations in document["paths"].items():
        shopping = path.startswith("/api/v1/") and not path.startswith((SIGNING_IN, "/api/v1/admin/"))
        for method, operation in operations.items():
            _tell_parameters(operation)
            _tell_errors(operation, acts=shopping and method != "get")
    return codec.encode(document)


def _tell_bodies(app: Litestar, document: dict[str, Any]) -> None:
    """Bodies as the decoder takes them: unknown fields are refused, items have bounds, and NUL is no text."""
    shapes = document["components"]["schemas"]
    for route in app.routes:
        for method, (handler, _) in route.route_handler_map.items() if isinstance(route, HTTPRoute) else ():
            if kinds := handler.opt.get("takes"):
                document["paths"][route.path_format][method.lower()]["requestBody"] = {
                    "required": True,
                    "content": {kind: {"schema": {}} for kind in kinds},
                }
            if kinds := handler.opt.get("gives"):
                document["paths"][route.path_format][method.lower()]["responses"]["200"]["content"] = {
                    kind: {"schema": {"type": "string"}} for kind in kinds
                }
            if handler.parsed_data_field is None:
                continue
            body = document["paths"][route.path_format][method.lower()]["requestBody"]["content"]["application/json"]
            whole, parts = codec.shape(handler.parsed_data_field.annotation, _PARTS)
            _refuse_nul(parts)
            shapes[_name(body["schema"])] = shape = parts.pop(_name(whole))
            if either := getattr(handler.parsed_data_field.annotation, "EITHER", ()):
                shape["oneOf"] = [
                    {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in either
                ]
            shapes.update(parts)


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _refuse_nul(schema: Any) -> None:
    if isinstance(schema, list):
        for one in schema:
            _refuse_nul(one)
    elif isinstance(schema, dict):
        for one in list(schema.values()):
            _refuse_nul(one)
        if isinstance(schema.get("additionalProperties"), dict):
            schema["propertyNames"] = schema.get("propertyNames", {}) | {"pattern": _NO_NUL}
        if schema.get("type") == "string" and not {"enum", "const", "format"} & schema.keys():
            if "pattern" in schema:
                schema["allOf"] = [{"pattern": _NO_NUL}]
            else:
                schema["pattern"] = _NO_NUL


def _tell_parameters(operation: dict[str, Any]) -> None:
    """Parameters are left out, never null: the framework says "or null" of all that may be left out."""
    for parameter in operation.get("parameters", []):
        schema: dict[str, Any] = parameter["schema"]
        one: dict[str, Any] = next((one for one in schema.get("oneOf", []) if one.get("type") != "null"), {})
        named = "$ref" in one or isinstance(schema.get("type"), list)
        if parameter["in"] == "query" and (named or one.get("type") in {"integer", "number", "boolean"}):
            continue
        kinds = [one for one in schema.pop("oneOf", []) if one != {"type": "null"}]
        schema |= kinds[0] if kinds else {}
        if isinstance(schema.get("type"), list):
            schema["type"] = next(one for one in schema["type"] if one != "null")
            schema["enum"] = [one for one in schema["enum"] if one is not None]
        _refuse_nul(schema)


def _tell_errors(operation: dict[str, Any], *, acts: bool) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("400", None)
    responses.get("204", {}).pop("content", None)
    by_status: dict[int, list[str]] = {}
    codes = named_errors(operation.get("description", ""))
    if {"sign_in_required", "invalid_token"} & set(codes):
        operation["security"] = [{"bearer": []}] if "sign_in_required" in codes else [{}, {"bearer": []}]
    elif acts:
        operation["security"] = [{}, {"bearer": []}]
    for code in codes:
        by_status.setdefault(status_of(code), []).append(code)
    for status, code in (*_implied(operation), *(ACTING if acts else ())):
        if code not in by_status.setdefault(status, []):
            by_status[status].append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _implied(operation: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Errors that follow from what an operation takes, whatever it does with it."""
    taken = operation.get("parameters", [])
    if any(one["schema"].get("format") == "uuid" for one in taken if one["in"] == "path"):
        yield 404, "not_found"
    if taken or "requestBody" in operation:
        yield 422, "invalid_request"
        yield 422, "invalid_text"
    if "requestBody" in operation:
        if "application/json" in operation["requestBody"]["content"]:
            yield 400, "malformed_request"
        yield 413, "body_too_large"
        yield 415, "unsupported_media_type"


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def document(request: AnyRequest) -> Response[bytes]:
    """Every operation of this shop."""
    return Response(_encoded(request.app), media_type="application/json", headers={"cache-control": "public, no-cache"})
