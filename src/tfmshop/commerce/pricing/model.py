"""Taxes and shipping: which rate, which methods, how much. Pure; all amounts in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

WHOLE: Final = 1_000_000
"""A hundred percent: tax rates are in millionths."""
STANDARD: Final = "standard"


class TaxRate(msgspec.Struct, frozen=True):
    """What a country, or a region of it, asks for a class of goods; `included` when the prices have it in them."""

    country: str
    tax_class: str
    rate: int
    region: str = ""
    name: str = ""
    included: bool = True


class Step(msgspec.Struct, frozen=True):
    """From so much (grams, or minor units of the goods) on, shipping costs `price`."""

    at_least: int
    price: int


class ShippingMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A way to send goods to some countries (none named: to all), priced flat, by weight or by total."""

    code: str
    name: str
    by: Literal["flat", "weight", "total"]
    steps: list[Step]
    currency: str
    countries: list[str] = []
    free_from: int | None = None
    heaviest_g: int | None = None
    tax_class: str = STANDARD


class Rules(msgspec.Struct, frozen=True):
    """The rates and methods that may matter for a cart."""

    rates: list[TaxRate] = []
    methods: list[ShippingMethod] = []


class Choice(msgspec.Struct, frozen=True):
    """A method that serves a cart, and its price there; `why` tells how that came about."""

    method: ShippingMethod
    price: int
    why: str


def rate_for(rates: Sequence[TaxRate], country: str | None, region: str | None, tax_class: str) -> TaxRate | None:
    """The rate of the region if it has one, else of the country; None where nothing is asked."""
    found = {_plain(one.region): one for one in rates if one.country == country and one.tax_class == tax_class}
    return found.get(_plain(region or "")) or found.get("")


def _plain(region: str) -> str:
    """A region as it is compared: buyers type it."""
    return " ".join(region.split()).casefold()


def tax_of(amount: int, rate: TaxRate | None) -> int:
    """The tax in an amount (included) or on top of it, half a unit rounded up; none without a rate.

    Rounding is per line of an order, after discounts: the tax of an order is the sum over its lines and its shipping.
    """
    if rate is None:
        return 0
    whole = WHOLE + rate.rate if rate.included else WHOLE
    return (2 * amount * rate.rate + whole) // (2 * whole)


def choices(
    methods: Sequence[ShippingMethod], *, country: str | None, currency: str, weight_g: int, total: int, free: bool
) -> list[Choice]:
    """The methods that serve a country, a currency and a weight, in their order, each with its price."""
    found = []
    for method in methods:
        if method.currency != currency or (method.countries and country not in method.countries):
            continue
        if method.heaviest_g is not None and weight_g > method.heaviest_g:
            continue
        measure = {"flat": 0, "weight": weight_g, "total": total}[method.by]
        price = max((step for step in method.steps if step.at_least <= measure), key=lambda step: step.at_least).price
        if free:
            found.append(Choice(method, 0, "an offer makes shipping free"))
        elif method.free_from is not None and total >= method.free_from:
            found.append(Choice(method, 0, f"free from {method.free_from}"))
        else:
            how = {"flat": "one price", "weight": f"for {weight_g} g", "total": f"for goods of {total}"}[method.by]
            found.append(Choice(method, price, how))
    return found
