"""Placing an order: one statement for the order, its lines and its first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tfmshop.commerce.orders.model import Addresses, Discount, Event, Order, OrderLine, OrderStatus
from tfmshop.commerce.orders.store import PLACE
from tfmshop.commerce.orders.tokens import token_of
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Tx, columns
from tfmshop.platform.security.access import digest
from tfmshop.platform.security.seals import Seals


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
    """A line with what offers take off it, the tax on the rest, how much of that its price has in it, and the rate in
    millionths.
    """

    @property
    def discount(self) -> int: ...
    @property
    def tax(self) -> int: ...
    @property
    def tax_included(self) -> int: ...
    @property
    def tax_rate(self) -> int: ...


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
    def shipping_tax_rate(self) -> int: ...
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


def new_number() -> str:
    """An order number that cannot be guessed and is easy to read out."""
    symbols = ids.readable()
    return f"{symbols[:5]}-{symbols[5:]}"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be placed: who buys what, where it goes, and what it comes to."""

    id: UUID
    cart_id: UUID
    customer_id: UUID | None
    email: str
    address: Address
    currency: str
    lines: Sequence[PricedLine]
    sums: Sums
    reductions: Sequence[Reduction]
    shipping_method: str | None
    provider: str
    number: str = field(default_factory=new_number)

    @property
    def who(self) -> str:
        """How the history calls them."""
        return str(self.customer_id) if self.customer_id else "guest"

    @property
    def mark(self) -> str:
        """Whose uses of an offer are counted together: the customer's, or those of a guest's e-mail address."""
        return str(self.customer_id) if self.customer_id else self.email.lower()


async def place(tx: Tx, wanted: Sequence[NewOrder], seals: Seals) -> list[Order]:
    """Write placed, unpaid orders; those of guests have the token that opens them."""
    now = clock.now()
    placed = [_order(one, now, seals) for one in wanted]
    heads = [
        (one.id, one.number, one.cart_id, one.customer_id, one.provider, one.currency, one.sums.subtotal,
         one.sums.discount, one.sums.shipping, one.sums.tax, one.sums.tax_included, one.sums.total, one.email,
         codec.encode_text(one.address), one.shipping_method, codec.encode_text(order.discounts), one.who,
         one.sums.shipping_tax_rate, digest(order.token) if order.token else None)
        for one, order in zip(wanted, placed, strict=True)
    ]  # fmt: skip
    lines = [
        (one.id, position, line.product_id, line.variant_id, line.sku, line.title, line.quantity, line.unit_price,
         line.discount, line.tax, line.tax_rate, line.tax_included)
        for one in wanted for position, line in enumerate(one.lines, start=1)
    ]  # fmt: skip
    await tx.execute(PLACE, now, *columns(heads), *columns(lines))
    return placed


def _order(one: NewOrder, now: datetime, seals: Seals) -> Order:
    def money(amount: int) -> Money:
        return Money(amount, one.currency)

    sums = one.sums
    return Order(
        one.id, one.number, OrderStatus.PLACED, "pending",
        [OrderLine(line.product_id, line.variant_id, line.sku, line.title, line.quantity, money(line.unit_price),
                   money(line.unit_price * line.quantity), money(line.discount), money(line.tax),
                   money(line.tax_included), line.tax_rate)
         for line in one.lines],
        money(sums.subtotal), money(sums.discount), money(sums.shipping), money(sums.tax), money(sums.tax_included),
        money(sums.total), [Discount(by.name, money(by.amount), by.code) for by in one.reductions],
        one.shipping_method, one.email, Addresses(one.address), now, [Event(now, OrderStatus.PLACED, one.who, "")], [],
        token=token_of(seals, one.id, one.number) if one.customer_id is None else None,
    )  # fmt: skip
