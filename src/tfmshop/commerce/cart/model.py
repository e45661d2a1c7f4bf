"""A cart and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.cart.quote import Quote
from tfmshop.commerce.vocabulary import Address, Money

MOST_LINES: Final = 100
MOST_UNITS: Final = 999


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may use a cart: the bearer of its token, or a signed-in customer. Both None owns nothing."""

    token_hash: bytes | None = None
    customer_id: UUID | None = None


class CartLine(msgspec.Struct, frozen=True):
    """A product in a cart at today's price; `available` is the stock now."""

    id: UUID
    product_id: UUID
    variant_id: UUID
    sku: str
    slug: str
    title: str
    image: str | None
    quantity: int
    unit_price: Money
    total: Money
    available: int


class Remark(msgspec.Struct, frozen=True):
    """Something the buyer should know: `price_changed`, `out_of_stock` or `unavailable`."""

    code: str
    line_id: UUID
    detail: str


class Discount(msgspec.Struct, frozen=True):
    """An offer that takes something off the cart; nothing when it makes shipping free."""

    name: str
    code: str | None
    amount: Money


class ShippingChoice(msgspec.Struct, frozen=True):
    """A way to send the cart, and its price."""

    code: str
    name: str
    price: Money


class Cart(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cart with live prices and stock; `token` only in the answer that created it.

    `tax_included` is the part of `tax` that the prices have in them already: it is not added to the total.
    `reserved_until` is when the units held for it go back, if any are held.
    """

    id: UUID
    status: str
    currency: str
    email: str | None
    address: Address | None
    lines: list[CartLine]
    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    tax_included: Money
    total: Money
    coupon: str | None
    discounts: list[Discount]
    shipping_method: str | None
    shipping_choices: list[ShippingChoice]
    warnings: list[Remark]
    expires_at: datetime
    reserved_until: datetime | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of a cart that is being ordered; its discount and taxes are those of all its units.

    `tax_rate` is in millionths.
    """

    product_id: UUID
    variant_id: UUID
    sku: str
    title: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax: int = 0
    tax_included: int = 0
    tax_rate: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """A cart that was closed to become an order, and what it comes to."""

    currency: str
    email: str | None
    address: Address | None
    coupon: str | None
    lines: list[Bought]
    quote: Quote
    missing: list[UUID]
    """Variants in the cart that are not on sale any more."""
