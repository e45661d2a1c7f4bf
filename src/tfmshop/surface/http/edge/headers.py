"""The headers of every response, made once."""

from __future__ import annotations

Headers = list[tuple[bytes, bytes]]

API: Headers = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-download-options", b"noopen"),
    (b"x-frame-options", b"DENY"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"x-xss-protection", b"0"),
]

PICTURES = [(name, b"cross-origin" if name == b"cross-origin-resource-policy" else value) for name, value in API]
"""The same for public pictures: other sites may show them."""

_PAGE = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'; object-src 'none'"
)
PAGES = [(name, _PAGE if name == b"content-security-policy" else value) for name, value in API]
"""The same for the few pages that the shop makes itself."""
OWN_POLICY = [pair for pair in API if pair[0] != b"content-security-policy"]
"""The same for a page that says by itself what it may load."""

NO_STORE = (b"cache-control", b"no-store")
