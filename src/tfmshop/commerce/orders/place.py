"""Placing an order: one statement for the order, its lines and its first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tfmshop.commerce.orders.model import Addresses, Discount, Event, Order, OrderLine, OrderStatus
from tfmshop.commerce.orders.store import PLACE
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Tx


class Line(Protocol):
    """A line to be ordered."""

    @property
    def product_id(self) -> UUID: ...
    @property
    def variant_id(self) -> UUID: ...
    @property
    def sku(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> int: ...


class PricedLine(Line, Protocol):
    """A line with what offers take off it and the tax on the rest."""

    @property
    def discount(self) -> int: ...
    @property
    def tax(self) -> int: ...


class Sums(Protocol):
    """What an order comes to, in minor units."""

    @property
    def subtotal(self) -> int: ...
    @property
    def discount(self) -> int: ...
    @property
    def shipping(self) -> int: ...
    @property
    def tax(self) -> int: ...
    @property
    def tax_included(self) -> int: ...
    @property
    def total(self) -> int: ...


class Reduction(Protocol):
    """An offer that takes something off, and how much."""

    @property
    def name(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def amount(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who orders, and where it goes."""

    customer_id: UUID | None
    email: str
    address: Address

    @property
    def who(self) -> str:
        """How the history calls them."""
        return str(self.customer_id) if self.customer_id else "guest"

    @property
    def mark(self) -> str:
        """Whose uses of an offer are counted together: the customer's, or those of a guest's e-mail address."""
        return str(self.customer_id) if self.customer_id else self.email.lower()


async def place(
    tx: Tx,
    *,
    id: UUID,
    cart_id: UUID,
    buyer: Buyer,
    currency: str,
    lines: Sequence[PricedLine],
    sums: Sums,
    provider: str,
    reductions: Sequence[Reduction],
    shipping_method: str | None,
) -> Order:
    """Write a placed, unpaid order."""
    now = clock.now()
    number = new_number()
    discounts = [Discount(one.name, Money(one.amount, currency), one.code) for one in reductions]
    await tx.execute(
        PLACE, id, number, cart_id, buyer.customer_id, provider, currency, sums.subtotal, sums.discount, sums.shipping,
        sums.tax, sums.total, buyer.email, codec.encode_text(buyer.address), now, buyer.who,
        [line.product_id for line in lines], [line.variant_id for line in lines], [line.sku for line in lines],
        [line.title for line in lines], [line.quantity for line in lines], [line.unit_price for line in lines],
        [line.discount for line in lines], [line.tax for line in lines], sums.tax_included, shipping_method,
        codec.encode_text(discounts),
    )  # fmt: skip
    return _order(id, number, now, buyer, currency, lines, sums, discounts, shipping_method)


def new_number() -> str:
    """An order number that cannot be guessed and is easy to read out."""
    symbols = ids.readable()
    return f"{symbols[:5]}-{symbols[5:]}"


def _order(
    id: UUID, number: str, now: datetime, buyer: Buyer, currency: str, lines: Sequence[PricedLine], sums: Sums,
    discounts: list[Discount], shipping_method: str | None,
) -> Order:  # fmt: skip
    def money(amount: int) -> Money:
        return Money(amount, currency)

    return Order(
        id, number, OrderStatus.PLACED, "pending",
        [OrderLine(line.product_id, line.variant_id, line.sku, line.title, line.quantity, money(line.unit_price),
                   money(line.unit_price * line.quantity), money(line.discount), money(line.tax)) for line in lines],
        money(sums.subtotal), money(sums.discount), money(sums.shipping), money(sums.tax), money(sums.tax_included),
        money(sums.total), discounts, shipping_method,
        buyer.email, Addresses(buyer.address), now, [Event(now, OrderStatus.PLACED, buyer.who, "")], [],
    )  # fmt: skip
