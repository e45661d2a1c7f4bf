"""Errors on the wire: RFC 9457 problem+json with a stable code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from tfmshop.platform import codec
from tfmshop.platform.errors import Kind, ShopError

log = structlog.get_logger("http")

STATUS: Final = {
    Kind.UNAUTHENTICATED: 401,
    Kind.PAYMENT: 402,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.TOO_LARGE: 413,
    Kind.WRONG_TYPE: 415,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}

HTTP_CODES: Final = {
    400: ("malformed_request", "Malformed request"),
    401: ("sign_in_required", "Sign-in required"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
    413: ("body_too_large", "Body too large"),
    422: ("invalid_request", "Invalid request"),
    500: ("internal_error", "Internal error"),
}
"""Errors of HTTP itself rather than of the shop, by status."""

_MISSING: Final = re.compile(r"Missing required \w+ parameter '([^']+)'")
_FIELD: Final = re.compile(r"missing required field `([^`]+)`|unknown field `([^`]+)`")

EDGE_CODES: Final = (
    "address_too_long", "blocked", "body_too_slow", "headers_too_large", "host_not_allowed", "invalid_text",
    "rate_limited",
)  # fmt: skip
"""Errors that are answered before the framework is asked."""

TITLES: Final = {
    Kind.UNAUTHENTICATED: "Sign-in required",
    Kind.PAYMENT: "Payment failed",
    Kind.FORBIDDEN: "Not allowed",
    Kind.NOT_FOUND: "Not found",
    Kind.CONFLICT: "Conflict",
    Kind.STALE: "Changed meanwhile",
    Kind.TOO_LARGE: "Too large",
    Kind.WRONG_TYPE: "Unsupported media type",
    Kind.INVALID: "Invalid request",
    Kind.TOO_MANY: "Too many requests",
    Kind.UNAVAILABLE: "Unavailable",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as it is sent."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def encode(self, request_id: str) -> bytes:
        """The JSON of it."""
        body: dict[str, Any] = {
            "type": f"urn:tfmshop:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": self.errors,
            "request_id": request_id,
        }
        return codec.encode(body | {name: value for name, value in self.facts.items() if name not in body})


def of_shop(error: ShopError) -> Problem:
    """A fact of the shop as a problem; its fields come along by name."""
    return Problem(STATUS[error.kind], error.code, TITLES[error.kind], str(error), facts=error.facts)


def of_http(error: HTTPException) -> Problem:
    """An error of HTTP or of the framework's decoding as a problem."""
    if isinstance(error, ValidationException) and error.extra is not None:
        return Problem(422, "invalid_request", "Invalid request", "The request has wrong fields.", _fields(error.extra))
    if isinstance(error, ValidationException) and (missing := _MISSING.match(error.detail)):
        return invalid(missing[1], "This is required.")
    status = error.status_code
    code, title = HTTP_CODES.get(status, HTTP_CODES[500])
    detail = title + "." if status >= 404 else error.detail
    return Problem(status, code, title, detail)


def invalid(field_name: str, message: str) -> Problem:
    """A problem with one field."""
    return Problem(
        422, "invalid_request", "Invalid request", "The request has wrong fields.",
        [{"field": field_name, "message": message}],
    )  # fmt: skip


class InvalidField(Exception):
    """A field that the framework does not check itself is wrong."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.problem = invalid(field_name, message)


def _plainly(message: str) -> str:
    """What a decoder says of a value, without its regular expressions."""
    return "This is not in the form that is expected here." if "matching regex" in message else message


def _field(one: dict[str, Any]) -> dict[str, str]:
    name, message = str(one.get("key", "")), str(one.get("message", ""))
    if (name, message) == ("data", "'data'"):
        return {"field": "", "message": "A body of JSON is required."}
    if one.get("source") == "header":
        name = name.replace("_", "-").title()
    return {"field": name, "message": _plainly(message)}


def _fields(extra: object) -> list[dict[str, str]]:
    given = extra if isinstance(extra, list) else [extra]
    return [
        _field(one) if isinstance(one, dict)
        else {"field": "", "message": str(one)}
        for one in given
    ]  # fmt: skip


def respond(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """The response of a problem."""
    request.scope["state"]["problem"] = problem
    waits = problem.status == 503 or problem.code == "request_in_progress"
    headers = {"retry-after": "1"} if waits else {}
    if "retry_after" in problem.facts:
        headers["retry-after"] = str(problem.facts["retry_after"])
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(
        problem.encode(request.scope["state"].get("request_id", "")), status_code=problem.status,
        media_type="application/problem+json", headers=headers,
    )  # fmt: skip


def on_shop_error(request: Request[Any, Any, Any], error: ShopError) -> Response[bytes]:
    """Answer a fact of the shop."""
    return respond(request, of_shop(error))


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer an error of HTTP."""
    response = respond(request, of_http(error))
    if error.headers and "allow" in {name.lower() for name in error.headers}:
        response.headers.update(error.headers)
    return response


def on_invalid_field(request: Request[Any, Any, Any], error: InvalidField) -> Response[bytes]:
    """Answer a wrong field."""
    return respond(request, error.problem)


def on_malformed(request: Request[Any, Any, Any], error: codec.Malformed) -> Response[bytes]:
    """Answer a body that is not JSON."""
    code, title = HTTP_CODES[400]
    return respond(request, Problem(400, code, title, f"The body is not JSON: {error}"))


def on_unfit(request: Request[Any, Any, Any], error: codec.Unfit) -> Response[bytes]:
    """Answer a body of another shape than the route's."""
    named = _FIELD.search(error.message)
    where = ".".join(part for part in (error.where, named and (named[1] or named[2])) if part)
    return respond(request, invalid(where, _plainly(error.message)))


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what should not have happened, and log it."""
    log.error("unhandled error", path=request.url.path, request_id=request.scope["state"].get("request_id"),
              exc_info=error)  # fmt: skip
    code, title = HTTP_CODES[500]
    return respond(request, Problem(500, code, title, "Something went wrong on our side; it was logged."))


def of(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """What `HANDLERS` answer an error with."""
    handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
    handler(request, error)
    problem: Problem = request.scope["state"]["problem"]
    return problem


HANDLERS: Final[dict[Any, Any]] = {
    ShopError: on_shop_error,
    HTTPException: on_http_error,
    InvalidField: on_invalid_field,
    codec.Malformed: on_malformed,
    codec.Unfit: on_unfit,
    Exception: on_bug,
}
