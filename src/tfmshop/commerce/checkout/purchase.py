"""What a checkout is asked for, and how its outcomes are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tfmshop.commerce import cart, orders
from tfmshop.commerce.payments import Challenge, PaymentDeclined
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform.idempotency import Answer, Key


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the buyer asks for; what else is given overrides the cart's. An `expected_total` without a currency is
    in the cart's.
    """

    cart_id: UUID
    owner: cart.Owner
    key: Key
    provider_name: str
    payment_token: str
    email: str | None = None
    address: Address | None = None
    shipping_method: str | None = None
    expected_total: Money | int | None = None


@dataclass(frozen=True, slots=True)
class Presenter:
    """How outcomes become the bytes that are sent, and sent again for the same key."""

    order: Callable[[orders.Order], Answer]
    declined: Callable[[PaymentDeclined], Answer]
    challenge: Callable[[orders.Order, Challenge], Answer]
