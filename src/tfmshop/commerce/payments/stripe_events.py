"""What Stripe tells by webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import stripe

from tfmshop.commerce.payments.port import Failed, News, Notice
from tfmshop.platform import codec, ids
from tfmshop.platform.security.webhooks import BadSignature

NEWS: Final = {
    "payment_intent.amount_capturable_updated": News.AUTHORIZED,
    "payment_intent.payment_failed": News.DECLINED,
    "payment_intent.canceled": News.DECLINED,
    "payment_intent.succeeded": News.CAPTURED,
    "refund.failed": News.REFUND_FAILED,
    "refund.updated": News.REFUND_FAILED,
    "charge.refund.updated": News.REFUND_FAILED,
}
GONE: Final = ("failed", "canceled")
"""What became of a refund that gave nothing back."""

OURS: Final = "tfmshop_order_id"
"""Under which name an intent, and a refund, keep the id of their order: other programs may use the same account."""


class _Metadata(msgspec.Struct, frozen=True):
    tfmshop_order_id: str = ""
    refund_id: str = ""


class _Intent(msgspec.Struct, frozen=True):
    id: str
    amount: int = 0
    amount_capturable: int = 0
    amount_received: int = 0
    metadata: _Metadata = _Metadata()


class _Refund(msgspec.Struct, frozen=True):
    id: str
    amount: int
    status: str | None = None
    payment_intent: str | None = None
    failure_reason: str | None = None
    metadata: _Metadata = _Metadata()


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _About(msgspec.Struct, frozen=True):
    type: str


class _Event(msgspec.Struct, frozen=True):
    type: str
    data: _Data


def notice(headers: Mapping[str, str], body: bytes, secret: str) -> Notice | None:
    """What a webhook says of an order's payment; None when it is about nothing of ours. `BadSignature`, `Unfit`."""
    try:
        stripe.WebhookSignature.verify_header(
            body, headers.get("stripe-signature"), secret, stripe.Webhook.DEFAULT_TOLERANCE
        )
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        raise BadSignature from None
    if (news := NEWS.get(codec.decode_as(body, _About).type)) is None:
        return None
    about = bytes(codec.decode_as(body, _Event).data.object)
    if news is News.REFUND_FAILED:
        return _refund(codec.decode_as(about, _Refund))
    intent = codec.decode_as(about, _Intent)
    order_id = ids.parse(intent.metadata.tfmshop_order_id)
    if order_id is None:
        return None
    moved = {News.AUTHORIZED: intent.amount_capturable, News.CAPTURED: intent.amount_received}
    return Notice(order_id, news, intent.id, moved.get(news, intent.amount))


def _refund(refund: _Refund) -> Notice | None:
    order_id, refund_id = ids.parse(refund.metadata.tfmshop_order_id), ids.parse(refund.metadata.refund_id)
    if order_id is None or refund_id is None or refund.status not in GONE:
        return None
    failed = Failed(refund_id, refund.id, refund.failure_reason or refund.status)
    return Notice(order_id, News.REFUND_FAILED, refund.payment_intent or "", refund.amount, failed)
