"""Offers and what they take off a cart. Pure; all amounts in minor units."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

import msgspec

WHOLE: Final = 10_000
"""A hundred percent: shares are in hundredths of a percent."""


class Kind(StrEnum):
    """How an offer takes something off."""

    PERCENT = "percent"
    FIXED = "fixed"
    BUY_GET = "buy_get"
    FREE_SHIPPING = "free_shipping"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon (with a `code`) or an automatic offer.

    `value` is hundredths of a percent (percent, and what is off the units that buy_get gives), or minor units of
    `currency` (fixed). Of every `buy` + `get` units in scope the `get` cheapest are reduced. `minimum` is what the
    units in scope must come to before any offer. No products and no categories: everything is in scope. An offer that
    is not `stackable` applies alone, when that gives more than the others together.
    """

    id: UUID
    name: str
    kind: Kind
    value: int = 0
    currency: str | None = None
    code: str | None = None
    buy: int = 0
    get: int = 0
    products: list[UUID] = []
    categories: list[UUID] = []
    minimum: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    max_uses: int | None = None
    max_uses_per_customer: int | None = None
    used: int = 0
    used_by_buyer: int | msgspec.UnsetType = msgspec.UNSET
    stackable: bool = True
    priority: int = 0
    version: int = 1

    @property
    def limited(self) -> bool:
        """Whether its uses are counted at all."""
        return self.max_uses is not None or self.max_uses_per_customer is not None


class Item(Protocol):
    """A line of a cart."""

    @property
    def product_id(self) -> UUID: ...
    @property
    def categories(self) -> Sequence[UUID]: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one offer: how much it takes off, or why nothing."""

    offer: Offer
    applied: bool
    why: str
    amount: int = 0


@dataclass(slots=True)
class Outcome:
    """What all offers together take off each line, whether shipping is free, and a verdict for every offer."""

    off: list[int]
    free_shipping: bool = False
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def total(self) -> int:
        """What is taken off in all."""
        return sum(self.off)

    @property
    def applied(self) -> list[Offer]:
        """The offers that were applied."""
        return [verdict.offer for verdict in self.verdicts if verdict.applied]


def apply(
    offers: Sequence[Offer], items: Sequence[Item], *, now: datetime, currency: str, coupon: str | None
) -> Outcome:
    """Apply every offer that holds: those that stack one after the other by priority, or the best that does not.

    Each takes from what the earlier ones left, so a line never falls below nothing.
    """
    refused: list[Verdict] = []
    valid: list[Offer] = []
    for offer in sorted(offers, key=lambda offer: (offer.priority, offer.name, offer.id)):
        why = _why_not(offer, items, now=now, currency=currency, coupon=coupon)
        if why is None:
            valid.append(offer)
        else:
            refused.append(Verdict(offer, applied=False, why=why))
    together = _stack([offer for offer in valid if offer.stackable], items)
    alone = [_stack([offer], items) for offer in valid if not offer.stackable]
    best = max([together, *alone], key=lambda outcome: (outcome.total, outcome.free_shipping))
    chosen = {verdict.offer.id for verdict in best.verdicts}
    best.verdicts += [
        Verdict(offer, applied=False, why="another offer that does not combine with it gives more")
        for offer in valid if offer.id not in chosen
    ]  # fmt: skip
    best.verdicts += refused
    return best


def spread(amount: int, over: Sequence[int]) -> list[int]:
    """Divide an amount in proportion to some parts; exact: what rounding leaves goes to the largest remainders."""
    whole = sum(over)
    if whole == 0:
        return [0] * len(over)
    shares = [amount * part // whole for part in over]
    order = sorted(range(len(over)), key=lambda n: (-(amount * over[n] % whole), n))
    for n in order[: amount - sum(shares)]:
        shares[n] += 1
    return shares


def share_of(amount: int, value: int, whole: int = WHOLE) -> int:
    """So many `whole`ths of an amount, half a unit rounded up."""
    return (2 * amount * value + whole) // (2 * whole)


def _why_not(offer: Offer, items: Sequence[Item], *, now: datetime, currency: str, coupon: str | None) -> str | None:
    if offer.code is not None and (coupon is None or offer.code != coupon):
        return "its coupon is not in the cart"
    if offer.starts_at is not None and now < offer.starts_at:
        return "it has not begun"
    if offer.ends_at is not None and now >= offer.ends_at:
        return "it is over"
    if offer.currency is not None and offer.currency != currency:
        return f"it holds for {offer.currency} only"
    if offer.max_uses is not None and offer.used >= offer.max_uses:
        return "it is used up"
    if (offer.used_by_buyer or 0) >= (offer.max_uses_per_customer or sys.maxsize):
        return "this customer used it up"
    scope = _scope(offer, items)
    if not any(scope):
        return "nothing in the cart is part of it"
    worth = sum(item.unit_price * item.quantity for item, inside in zip(items, scope, strict=True) if inside)
    if worth < offer.minimum:
        return f"it needs {offer.minimum}, and the cart has {worth}"
    if offer.kind is Kind.BUY_GET:
        units = sum(item.quantity for item, inside in zip(items, scope, strict=True) if inside)
        if units < offer.buy + offer.get:
            return f"it needs {offer.buy + offer.get} units, and the cart has {units}"
    return None


def _scope(offer: Offer, items: Sequence[Item]) -> list[bool]:
    if not offer.products and not offer.categories:
        return [True] * len(items)
    categories = set(offer.categories)
    return [item.product_id in offer.products or not categories.isdisjoint(item.categories) for item in items]


def _stack(offers: Sequence[Offer], items: Sequence[Item]) -> Outcome:
    left = [item.unit_price * item.quantity for item in items]
    outcome = Outcome([0] * len(items))
    for offer in offers:
        off = _OFF[offer.kind](offer, items, [part if inside else 0 for part, inside in
                                              zip(left, _scope(offer, items), strict=True)])  # fmt: skip
        left = [part - taken for part, taken in zip(left, off, strict=True)]
        outcome.off = [before + taken for before, taken in zip(outcome.off, off, strict=True)]
        outcome.free_shipping |= offer.kind is Kind.FREE_SHIPPING
        outcome.verdicts.append(Verdict(offer, applied=True, why="it applies", amount=sum(off)))
    return outcome


def _percent(offer: Offer, _: Sequence[Item], left: list[int]) -> list[int]:
    return [share_of(part, offer.value) for part in left]


def _fixed(offer: Offer, _: Sequence[Item], left: list[int]) -> list[int]:
    return spread(min(offer.value, sum(left)), left)


def _buy_get(offer: Offer, items: Sequence[Item], left: list[int]) -> list[int]:
    inside = [n for n, kept in enumerate(_scope(offer, items)) if kept]
    given = sum(items[n].quantity for n in inside) // (offer.buy + offer.get) * offer.get
    off = [0] * len(items)
    for n in sorted(inside, key=lambda n: (items[n].unit_price, n)):
        units = min(given, items[n].quantity)
        given -= units
        off[n] = min(share_of(units * items[n].unit_price, offer.value), left[n])
    return off


def _nothing(_: Offer, items: Sequence[Item], __: list[int]) -> list[int]:
    return [0] * len(items)


_OFF: Final = {
    Kind.PERCENT: _percent, Kind.FIXED: _fixed, Kind.BUY_GET: _buy_get, Kind.FREE_SHIPPING: _nothing,
}  # fmt: skip
