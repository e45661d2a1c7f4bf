"""Money in and out, through a port; a fake provider ships with it."""

from tfmshop.commerce.payments import refunds as refunds
from tfmshop.commerce.payments.errors import (
    PaymentDeclined,
    PaymentUnknown,
    RefundNotFailed,
    RefundNotFound,
    RefundTooLarge,
)
from tfmshop.commerce.payments.fake import FakeProvider
from tfmshop.commerce.payments.ledger import ToCapture, ask_capture, balance, captured
from tfmshop.commerce.payments.port import Authorization, Challenge, Failed, News, Notice, Payment, Provider, Providers

__all__ = [
    "Authorization",
    "Challenge",
    "Failed",
    "FakeProvider",
    "News",
    "Notice",
    "Payment",
    "PaymentDeclined",
    "PaymentUnknown",
    "Provider",
    "Providers",
    "RefundNotFailed",
    "RefundNotFound",
    "RefundTooLarge",
    "ToCapture",
    "ask_capture",
    "balance",
    "captured",
]
