"""Money in, through a port; a fake provider ships with it."""

from tfmshop.commerce.payments.errors import PaymentDeclined, PaymentUnknown
from tfmshop.commerce.payments.fake import FakeProvider
from tfmshop.commerce.payments.port import Authorization, Provider, Providers

__all__ = ["Authorization", "FakeProvider", "PaymentDeclined", "PaymentUnknown", "Provider", "Providers"]
