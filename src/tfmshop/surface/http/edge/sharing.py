"""Cross-origin resource sharing: pages of the origins that the shop lists may use its API, nobody else's."""

from __future__ import annotations

from typing import Final

from tfmshop.surface.http.edge.headers import HTTPS_ONLY, Headers, lines

METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED: Final = (
    b"Authorization, Cart-Token, Content-Type, CSRF-Token, Device-Token, Idempotency-Key, If-Match, If-None-Match, "
    b"Order-Token, X-Request-Id"
)
SHOWN: Final = b"ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
SECONDS: Final = b"7200"
"""How long a browser remembers the answer to its question beforehand (Chromium keeps none longer)."""

_HTTPS: Final = lines([HTTPS_ONLY])


def headers(origin: bytes | None, origins: frozenset[bytes]) -> Headers:
    """What an answer says of sharing: it always depends on the origin where there are origins to share with."""
    if not origins:
        return []
    told = [(b"vary", b"Origin")]
    if origin in origins:
        told += [
            (b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", SHOWN),
        ]  # fmt: skip
    return told


def lines_for(origin: bytes | None, origins: frozenset[bytes], scheme: str) -> bytes:
    """The same as it is sent; over https with the word to stay there."""
    return lines(headers(origin, origins)) + (_HTTPS if scheme == "https" else b"")


def beforehand() -> Headers:
    """What a browser that asks beforehand is told of methods and headers, if its origin may ask at all."""
    return [
        (b"access-control-allow-methods", METHODS), (b"access-control-allow-headers", ASKED),
        (b"access-control-max-age", SECONDS),
    ]  # fmt: skip
