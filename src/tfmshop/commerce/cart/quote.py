"""What a cart comes to, and why: offers, shipping, taxes. Pure; all amounts in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tfmshop.commerce import pricing, promotions


@dataclass(frozen=True, slots=True)
class Item:
    """What of a line matters for its price."""

    product_id: UUID
    quantity: int
    unit_price: int
    categories: Sequence[UUID] = ()
    tax_class: str = pricing.STANDARD
    weight_g: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a cart: the rules that may matter, and what its buyer chose; `ships` when the shop has shipping
    methods at all, for this currency or another.
    """

    currency: str
    country: str | None = None
    region: str | None = None
    coupon: str | None = None
    shipping_method: str | None = None
    offers: Sequence[promotions.Offer] = ()
    rules: pricing.Rules = field(default_factory=pricing.Rules)
    ships: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that was looked at: whether it was applied, why, and what it changed."""

    kind: str
    name: str
    applied: bool
    why: str
    amount: int = 0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Taxed:
    """The tax of a line: how much, how much of it the price had in it, and the rate in millionths."""

    amount: int = 0
    included: int = 0
    rate: int = 0


@dataclass(slots=True)
class Quote:
    """What a cart comes to; discounts and taxes also line by line. Rates are in millionths.

    `tax_included` is the part of `tax` that the prices have in them. `shipping_method` is the one chosen, or the first
    that serves; None when the shop has none, and nothing `served` when it has some that do not serve this cart.
    """

    subtotal: int = 0
    discount: int = 0
    shipping: int = 0
    tax: int = 0
    tax_included: int = 0
    line_discounts: list[int] = field(default_factory=list)
    line_taxes: list[Taxed] = field(default_factory=list)
    shipping_tax_rate: int = 0
    offers: list[promotions.Offer] = field(default_factory=list)
    choices: list[pricing.Choice] = field(default_factory=list)
    shipping_method: pricing.ShippingMethod | None = None
    served: bool = True
    reasons: list[Reason] = field(default_factory=list)

    @property
    def total(self) -> int:
        """What the buyer pays."""
        return self.subtotal - self.discount + self.shipping + self.tax - self.tax_included

    @property
    def method(self) -> str | None:
        """The code of its shipping method."""
        return self.shipping_method.code if self.shipping_method else None

    @property
    def discounts(self) -> list[Reason]:
        """The offers that take something off, or make shipping free."""
        return [reason for reason in self.reasons if reason.kind == "offer" and reason.applied]


def quote(items: Sequence[Item], terms: Terms, now: datetime) -> Quote:
    """Work out a cart: goods, then offers, then shipping by what is left, then the tax of each line and of shipping."""
    found = Quote(subtotal=sum(item.unit_price * item.quantity for item in items))
    outcome = promotions.apply(terms.offers, items, now=now, currency=terms.currency, coupon=terms.coupon)
    found.line_discounts = outcome.off
    found.discount = outcome.total
    found.offers = outcome.applied
    found.reasons = [
        Reason("offer", one.offer.name, one.applied, one.why, one.amount, one.offer.code) for one in outcome.verdicts
    ]
    _ship(found, items, terms, free=outcome.free_shipping)
    _tax(found, items, terms)
    return found


def _ship(found: Quote, items: Sequence[Item], terms: Terms, *, free: bool) -> None:
    methods = terms.rules.methods
    if not items:
        return
    if not methods:
        found.served = not terms.ships
        return
    found.choices = pricing.choices(
        methods, country=terms.country, currency=terms.currency, free=free,
        weight_g=sum(item.weight_g * item.quantity for item in items), total=found.subtotal - found.discount,
    )  # fmt: skip
    found.served = bool(found.choices)
    chosen = next((one for one in found.choices if one.method.code == terms.shipping_method), None)
    chosen = chosen or next(iter(found.choices), None)
    if chosen is not None:
        found.shipping, found.shipping_method = chosen.price, chosen.method
    served = {one.method.code: one for one in found.choices}
    for method in methods:
        one = served.get(method.code)
        why = "it does not serve this address, currency or weight" if one is None else one.why
        applied = one is not None and one is chosen
        if one is not None and not applied:
            why = f"it was not chosen; it would cost {one.price} ({one.why})"
        amount = one.price if one is not None and applied else 0
        found.reasons.append(Reason("shipping", method.name, applied, why, amount, method.code))


def _tax(found: Quote, items: Sequence[Item], terms: Terms) -> None:
    by_rate: dict[tuple[str, str], int] = {}

    def taxed(amount: int, tax_class: str) -> Taxed:
        rate = pricing.rate_for(terms.rules.rates, terms.country, terms.region, tax_class)
        if rate is None:
            return Taxed()
        tax = pricing.tax_of(amount, rate)
        found.tax += tax
        found.tax_included += tax if rate.included else 0
        by_rate[rate.region, rate.tax_class] = by_rate.get((rate.region, rate.tax_class), 0) + tax
        return Taxed(tax, tax if rate.included else 0, rate.rate)

    found.line_taxes = [
        taxed(item.unit_price * item.quantity - off, item.tax_class)
        for item, off in zip(items, found.line_discounts, strict=True)
    ]
    if found.shipping and found.shipping_method is not None:
        found.shipping_tax_rate = taxed(found.shipping, found.shipping_method.tax_class).rate
    for one in terms.rules.rates:
        amount = by_rate.get((one.region, one.tax_class))
        found.reasons.append(Reason(
            "tax", one.name or f"{one.country} {one.tax_class}", amount is not None,
            f"{one.rate / 10_000:g} % {'in' if one.included else 'on'} the prices" if amount is not None
            else "nothing in the cart falls under it", amount or 0,
        ))  # fmt: skip
