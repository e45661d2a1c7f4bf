"""Money in and out, through a port; a fake provider ships with it."""

from tfmshop.commerce.payments.errors import PaymentDeclined, PaymentUnknown, RefundTooLarge
from tfmshop.commerce.payments.fake import FakeProvider
from tfmshop.commerce.payments.ledger import (
    ToCapture,
    ToRefund,
    ask_capture,
    ask_refund,
    balance,
    captured,
    refund_of,
    refunded,
)
from tfmshop.commerce.payments.port import Authorization, Challenge, News, Notice, Payment, Provider, Providers

__all__ = [
    "Authorization",
    "Challenge",
    "FakeProvider",
    "News",
    "Notice",
    "Payment",
    "PaymentDeclined",
    "PaymentUnknown",
    "Provider",
    "Providers",
    "RefundTooLarge",
    "ToCapture",
    "ToRefund",
    "ask_capture",
    "ask_refund",
    "balance",
    "captured",
    "refund_of",
    "refunded",
]
