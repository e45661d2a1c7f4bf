"""Signed messages between servers, as the Standard Webhooks specification 1.0 has them (HMAC-SHA256, `v1`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from tfmshop.platform import clock
from tfmshop.platform.errors import Kind, ShopError

TOLERANCE: Final = timedelta(minutes=5)
"""How far the clocks of sender and receiver may differ, and how old a message may be."""


class BadSignature(
    ShopError, kind=Kind.UNAUTHENTICATED, code="webhook_signature_invalid", says="The webhook's signature is not valid."
):
    """A webhook without a signature, with a wrong one, or too old."""


def signed(id: str, at: datetime, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers that go with a message."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{_signature(id, stamp, body, secret)}",
    }  # fmt: skip


def verify(headers: Mapping[str, str], body: bytes, secret: bytes) -> str:
    """The id of a message whose signature is right and whose time is now. `BadSignature`."""
    id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise BadSignature
    if abs(clock.now() - datetime.fromtimestamp(int(stamp), UTC)) > TOLERANCE:
        raise BadSignature
    wanted = _signature(id, stamp, body, secret).encode()
    given = [one.removeprefix("v1,") for one in headers.get("webhook-signature", "").split() if one.startswith("v1,")]
    if not any(hmac.compare_digest(one.encode(errors="replace"), wanted) for one in given):
        raise BadSignature
    return id


def _signature(id: str, stamp: str, body: bytes, secret: bytes) -> str:
    text = f"{id}.{stamp}.".encode(errors="replace") + body
    return base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
