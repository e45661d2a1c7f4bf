"""What the shop asks of a payment company. Adapters keep it; the rest of the shop knows only this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tfmshop.commerce.payments.errors import UnknownProvider
from tfmshop.commerce.vocabulary import Money


@dataclass(frozen=True, slots=True)
class Authorization:
    """Money that is promised to us; `reference` is the provider's name for it."""

    reference: str
    amount: Money


class Provider(Protocol):
    """A payment company. Every call is idempotent by `key`, and may raise TimeoutError."""

    def check(self, token: str) -> None:
        """Refuse a token that cannot be one of the provider's, before anything is written. `UnknownPaymentToken`."""

    async def authorize(self, key: str, amount: Money, token: str) -> Authorization:
        """Ask for money. `PaymentDeclined`; TimeoutError means that the outcome is not known."""

    async def find(self, key: str) -> Authorization | None:
        """What became of the request with that key, or None when it never reached the provider."""

    async def void(self, key: str) -> None:
        """Let go of what was authorised for that key, if anything was."""


class Providers:
    """The payment companies of this shop, by name."""

    def __init__(self, **providers: Provider) -> None:
        self._providers = providers

    def named(self, name: str) -> Provider:
        """The provider with that name. `UnknownProvider`."""
        provider = self._providers.get(name)
        if provider is None:
            raise UnknownProvider(name=name[:50])
        return provider
