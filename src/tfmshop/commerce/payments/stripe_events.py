"""What Stripe tells by webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import stripe

from tfmshop.commerce.payments.port import News, Notice
from tfmshop.platform import codec, ids
from tfmshop.platform.security.webhooks import BadSignature

NEWS: Final = {
    "payment_intent.amount_capturable_updated": News.AUTHORIZED,
    "payment_intent.payment_failed": News.DECLINED,
    "payment_intent.canceled": News.DECLINED,
    "payment_intent.succeeded": News.CAPTURED,
}


OURS: Final = "tfmshop_order_id"
"""Under which name an intent keeps the id of its order: other programs may use the same account."""


class _Metadata(msgspec.Struct, frozen=True):
    tfmshop_order_id: str = ""


class _Intent(msgspec.Struct, frozen=True):
    id: str
    amount: int = 0
    amount_capturable: int = 0
    amount_received: int = 0
    metadata: _Metadata = _Metadata()


class _Data(msgspec.Struct, frozen=True):
    object: _Intent


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
    intent = codec.decode_as(body, _Event).data.object
    order_id = ids.parse(intent.metadata.tfmshop_order_id)
    if order_id is None:
        return None
    moved = {News.AUTHORIZED: intent.amount_capturable, News.CAPTURED: intent.amount_received}
    return Notice(order_id, news, intent.id, moved.get(news, intent.amount))
