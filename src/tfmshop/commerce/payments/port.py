"""What the shop asks of a payment company. Adapters keep it; the rest of the shop knows only this."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol
from uuid import UUID

import msgspec

from tfmshop.commerce.payments.errors import UnknownProvider
from tfmshop.commerce.payments.measured import Measured
from tfmshop.commerce.vocabulary import Money


@dataclass(frozen=True, slots=True)
class Payment:
    """The payment of an order: `key` is the shop's name for it, the same for every try; `reference` is the provider's,
    empty while the shop does not know it.
    """

    key: str
    amount: Money
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Money that is promised to us; `reference` is the provider's name for it."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Challenge:
    """The buyer must first say yes at the provider's page."""

    redirect_url: str


class News(StrEnum):
    """What a provider tells by webhook."""

    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"


class Failed(msgspec.Struct, frozen=True):
    """Money of a refund, by the key that it was asked for with, that was given back and came back to the provider."""

    refund_key: str
    why: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider says of the payment of an order, whose id is the payment's key."""

    order_id: UUID
    news: News
    reference: str
    amount: int


class Provider(Protocol):
    """A payment company. Every call is idempotent by the payment's key, and may raise TimeoutError or OSError.

    One that lives in this process calls `tell` instead of sending a webhook.
    """

    tell: Callable[[Notice | Failed], Awaitable[None]] | None

    def check(self, token: str) -> None:
        """Refuse a token that cannot be one of the provider's, before anything is written. `UnknownPaymentToken`."""

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        """Ask for money. `PaymentDeclined`; TimeoutError means that the outcome is not known."""

    async def find(self, payment: Payment) -> Authorization | None:
        """What was authorised for it, or None when nothing was."""

    async def capture(self, payment: Payment) -> str:
        """Take the money that was authorised; the provider's reference. A second time takes nothing."""

    async def refund(self, payment: Payment, refund_key: str, amount: Money) -> str:
        """Give back a part of what was captured, once for each `refund_key`; the provider's reference.

        `PaymentDeclined` when it does not, or did and the money came back: another try has another key.
        """

    async def void(self, payment: Payment) -> None:
        """Let go of all its money: what was authorised, and what was captured and not given back.

        A try to authorise it that comes later is declined.
        """

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice | Failed | None:
        """What a webhook says; None when it is about nothing of ours. `BadSignature`, `Unfit`."""

    async def close(self) -> None:
        """Let go of connections."""


class Providers:
    """The payment companies of this shop, by name."""

    def __init__(self, **providers: Provider) -> None:
        self._providers = providers
        self._measured: dict[str, Provider] = {name: Measured(name, one) for name, one in providers.items()}

    def listen(self, hear: Callable[[str, Notice | Failed], Awaitable[None]]) -> None:
        """Have what companies tell from within this process heard by name, as their webhooks are."""
        for name, provider in self._providers.items():
            provider.tell = partial(hear, name)

    async def close(self) -> None:
        """Let go of the connections to all of them."""
        for provider in self._providers.values():
            await provider.close()

    def named(self, name: str) -> Provider:
        """The provider with that name, every call of which is measured. `UnknownProvider`."""
        return self._of(self._measured, name)

    def itself(self, name: str) -> Provider:
        """The provider with that name, for what only it can do. `UnknownProvider`."""
        return self._of(self._providers, name)

    @staticmethod
    def _of(providers: Mapping[str, Provider], name: str) -> Provider:
        provider = providers.get(name)
        if provider is None:
            raise UnknownProvider(name=name[:50])
        return provider
