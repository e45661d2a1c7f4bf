"""The headers of every response, made once."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from tfmshop.platform import ids

Headers = list[tuple[bytes, bytes]]

_OFF: Final = [
    "accelerometer", "ambient-light-sensor", "autoplay", "battery", "bluetooth", "browsing-topics", "camera",
    "clipboard-read", "clipboard-write", "display-capture", "encrypted-media", "fullscreen", "gamepad", "geolocation",
    "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "otp-credentials",
    "payment", "picture-in-picture", "publickey-credentials-create", "publickey-credentials-get", "screen-wake-lock",
    "serial", "speaker-selection", "storage-access", "sync-xhr", "usb", "web-share", "window-management",
    "xr-spatial-tracking",
]  # fmt: skip
"""What a page may ask of a browser, as the Permissions Policy registry of the W3C lists it: none of it is needed."""

API: Headers = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _OFF).encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-download-options", b"noopen"),
    (b"x-frame-options", b"DENY"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"x-xss-protection", b"0"),
]
"""Of every answer."""

PICTURES = [(name, b"cross-origin" if name == b"cross-origin-resource-policy" else value) for name, value in API]
"""The same for public pictures: other sites may show them."""

_PAGE: Final = (
    "default-src 'none'; script-src 'nonce-{}' 'strict-dynamic'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
OWN_POLICY = [pair for pair in API if pair[0] != b"content-security-policy"]
"""The same for a page that says by itself what it may load."""

NO_STORE = (b"cache-control", b"no-store")
HTTPS_ONLY = (b"strict-transport-security", b"max-age=63072000; includeSubDomains; preload")
"""For two years browsers use nothing but https."""


def lines(headers: Headers) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def head(status: int, headers: Headers) -> bytes:
    """The first line and the headers of an answer, to which more may be added."""
    return b"HTTP/1.1 %d %b\r\n%b" % (status, HTTPStatus(status).phrase.encode(), lines(headers))


class _Date:
    line, ends = b"", 0.0


def date(now: float) -> bytes:
    """The header `date` as it is sent, made once in a second of `clock.monotonic`."""
    if now >= _Date.ends:
        _Date.line, _Date.ends = b"date: %b\r\n" % formatdate(usegmt=True).encode(), now + 1
    return _Date.line


def page() -> Headers:
    """The headers of an HTML page: scripts run only with the nonce of this one answer."""
    return [*OWN_POLICY, (b"content-security-policy", _PAGE.format(ids.secret(16).hex()).encode())]
