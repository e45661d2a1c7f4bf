"""Sessions of browsers: tokens in cookies that scripts cannot read, and proof that a page of the shop asks.

A cookie comes along whoever made the browser ask, so a request that changes something must come from a page of the
shop (`Sec-Fetch-Site`, or `Origin`) and carry a token that only such a page can know (`CSRF-Token`).
"""

from __future__ import annotations

import hmac
from typing import Any, Final
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from tfmshop.commerce import accounts
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import LIFETIME
from tfmshop.platform.security.seals import Seals

Connection = ASGIConnection[Any, Any, Any, Any]

ACCESS: Final = "__Host-access"
REFRESH: Final = "__Host-refresh"
DEVICE: Final = "__Host-device"
DEVICE_SECONDS: Final = 2 * 365 * 86_400
SAFE: Final = {"GET", "HEAD", "OPTIONS"}


class ForgedRequest(
    ShopError, kind=Kind.FORBIDDEN, code="csrf_failed", says="Send this from a page of the shop, with its CSRF-Token."
):
    """A cookie came along with a request that no page of the shop made, or without the token of the session."""


def csrf_token(seals: Seals, session: UUID) -> str:
    """What a page of the session sends as `CSRF-Token`."""
    return seals.seal(b"csrf" + session.bytes)[:16].hex()


def from_our_page(connection: Connection, origins: list[str]) -> None:
    """Refuse what a page of somebody else sent, or nobody knows who: `ForgedRequest`."""
    origin = connection.headers.get("origin")
    site = connection.headers.get("sec-fetch-site")
    if origin in origins or site == "same-origin":
        return
    host = connection.headers.get("host", "")
    if site is None and host and origin == f"{connection.scope['scheme']}://{host}":
        return
    raise ForgedRequest


def with_token(connection: Connection, seals: Seals, session: UUID | None) -> None:
    """Refuse a request without the token of its session: `ForgedRequest`."""
    given = connection.headers.get("csrf-token", "")
    if session is None or not hmac.compare_digest(given.encode(), csrf_token(seals, session).encode()):
        raise ForgedRequest


def kept(access: str, refresh: str, device: str | None) -> list[Cookie]:
    """The cookies of a session, and of the device where it is known."""
    return [
        _cookie(ACCESS, access, int(LIFETIME.total_seconds())),
        _cookie(REFRESH, refresh, int(accounts.sessions.LIFETIME.total_seconds())),
        *known(device),
    ]


def known(device: str | None) -> list[Cookie]:
    """The cookie of a device that is known to an account."""
    return [] if device is None else [_cookie(DEVICE, device, DEVICE_SECONDS)]


def dropped() -> list[Cookie]:
    """Have the browser forget the session; the device stays known."""
    return [_cookie(ACCESS, "", 0), _cookie(REFRESH, "", 0)]


def _cookie(name: str, value: str, seconds: int) -> Cookie:
    return Cookie(key=name, value=value, path="/", max_age=seconds, secure=True, httponly=True, samesite="lax")
