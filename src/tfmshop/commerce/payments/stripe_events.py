"""What Stripe tells by webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import stripe
import structlog

from tfmshop.commerce.payments.port import Failed, News, Notice
from tfmshop.platform import codec, ids
from tfmshop.platform.security.webhooks import BadSignature

NEWS: Final = {
    "payment_intent.amount_capturable_updated": News.AUTHORIZED,
    "payment_intent.payment_failed": News.DECLINED,
    "payment_intent.canceled": News.DECLINED,
    "payment_intent.succeeded": News.CAPTURED,
}
REFUNDS: Final = ("refund.failed", "refund.updated", "charge.refund.updated")
_log = structlog.get_logger(__name__)
GONE: Final = ("failed", "canceled")
"""What became of a refund that gave nothing back."""

OURS: Final = "tfmshop_order_id"
"""Under which name an intent keeps the id of its order: other programs may use the same account."""


class _Metadata(msgspec.Struct, frozen=True):
    tfmshop_order_id: str = ""


class _RefundMetadata(msgspec.Struct, frozen=True):
    refund_id: str = ""


class _Intent(msgspec.Struct, frozen=True):
    id: str
    amount: int = 0
    amount_capturable: int = 0
    amount_received: int = 0
    metadata: _Metadata = _Metadata()


class _Refund(msgspec.Struct, frozen=True):
    id: str
    status: str | None = None
    failure_reason: str | None = None
    metadata: _RefundMetadata | None = None


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _About(msgspec.Struct, frozen=True):
    type: str


class _Event(msgspec.Struct, frozen=True):
    type: str
    data: _Data


def notice(headers: Mapping[str, str], body: bytes, secret: str) -> Notice | Failed | None:
    """What a webhook says of an order's payment, or of a refund; None when it is about nothing of ours.

    `BadSignature`, `Unfit`.
    """
    try:
        stripe.WebhookSignature.verify_header(
            body, headers.get("stripe-signature"), secret, stripe.Webhook.DEFAULT_TOLERANCE
        )
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        raise BadSignature from None
    kind = codec.decode_as(body, _About).type
    if kind in REFUNDS:
        return _failed(codec.decode_as(bytes(codec.decode_as(body, _Event).data.object), _Refund))
    if (news := NEWS.get(kind)) is None:
        return None
    intent = codec.decode_as(bytes(codec.decode_as(body, _Event).data.object), _Intent)
    order_id = ids.parse(intent.metadata.tfmshop_order_id)
    if order_id is None:
        return None
    moved = {News.AUTHORIZED: intent.amount_capturable, News.CAPTURED: intent.amount_received}
    return Notice(order_id, news, intent.id, moved.get(news, intent.amount))


def _failed(refund: _Refund) -> Failed | None:
    if refund.status not in GONE:
        return None
    if refund.metadata is None or not refund.metadata.refund_id:
        _log.warning("a refund of this account came back that is none of an order", refund=refund.id)
        return None
    return Failed(refund.metadata.refund_id, refund.failure_reason or refund.status)
