"""What a cart comes to: offers, shipping and taxes, to the last unit of money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tfmshop.commerce import pricing, promotions
from tfmshop.commerce.cart.quote import Item, Terms, quote
from tfmshop.commerce.promotions import Kind, Offer
from tfmshop.commerce.promotions.model import share_of, spread
from tfmshop.platform import ids

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAMPS, TABLES = ids.new(), ids.new()
LAMP = Item(ids.new(), 2, 1000, [LAMPS], weight_g=1500)
TABLE = Item(ids.new(), 1, 5001, [TABLES], weight_g=9000)
FRANCE = pricing.TaxRate("FR", "standard", 200_000, name="TVA")
STEPS = [pricing.Step(0, 500), pricing.Step(5000, 900)]


def offer(kind: Kind = Kind.PERCENT, value: int = 1000, **more: Any) -> Offer:
    currency = "EUR" if kind is Kind.FIXED else None
    return Offer(**({"id": ids.new(), "name": "offer", "kind": kind, "value": value, "currency": currency} | more))


def off(*offers: Offer, items=(LAMP, TABLE), coupon: str | None = None) -> list[int]:
    return promotions.apply(offers, items, now=NOW, currency="EUR", coupon=coupon).off


def why(one: Offer, items=(LAMP, TABLE), coupon: str | None = None) -> str:
    found = promotions.apply([one], items, now=NOW, currency="EUR", coupon=coupon)
    assert (found.total, found.applied) == (0, [])
    return found.verdicts[0].why


@pytest.mark.parametrize(("offers", "expected"), [
    ([offer()], [200, 500]),
    ([offer(categories=[LAMPS])], [200, 0]),
    ([offer(products=[TABLE.product_id])], [0, 500]),
    ([offer(Kind.FIXED, 700)], [200, 500]),
    ([offer(Kind.FIXED, 100_000)], [2000, 5001]),
    ([offer(Kind.FIXED, 1, categories=[LAMPS])], [1, 0]),
    ([offer(priority=1), offer(Kind.FIXED, 7001, priority=2)], [2000, 5001]),
    ([offer(Kind.FIXED, 1000, categories=[LAMPS]), offer(value=5000, priority=1)], [1500, 2501]),
    ([offer(), offer(value=2000, stackable=False)], [400, 1000]),
    ([offer(value=3000), offer(value=2000, stackable=False)], [600, 1500]),
    ([offer(Kind.BUY_GET, 10_000, buy=2, get=1)], [1000, 0]),
    ([offer(Kind.BUY_GET, 5000, buy=1, get=1)], [500, 0]),
    ([offer(Kind.FREE_SHIPPING, 0)], [0, 0]),
])  # fmt: skip
def test_what_offers_take_off(offers, expected):
    assert off(*offers) == expected


def test_why_an_offer_does_not_hold():
    assert "coupon" in why(offer(code="TEN"))
    assert "coupon" in why(offer(code="TEN"), coupon="OTHER")
    assert off(offer(code="TEN"), coupon="TEN") == [200, 500]
    assert "not begun" in why(offer(starts_at=NOW + timedelta(seconds=1)))
    assert "over" in why(offer(ends_at=NOW))
    assert "USD only" in why(offer(Kind.FIXED, 5, currency="USD"))
    assert "used up" in why(offer(max_uses=3, used=3))
    assert "nothing in the cart" in why(offer(products=[ids.new()]))
    assert why(offer(minimum=7002)) == "it needs 7002, and the cart has 7001"
    assert "needs 4 units" in why(offer(Kind.BUY_GET, 10_000, buy=3, get=1))
    assert "nothing in the cart" in why(offer(), items=())
    both = promotions.apply([offer(), offer(value=2000, stackable=False)], [LAMP], now=NOW, currency="EUR", coupon=None)
    assert [(verdict.applied, verdict.amount) for verdict in both.verdicts] == [(True, 400), (False, 0)]


ITEMS = some.lists(some.builds(
    Item, some.sampled_from([LAMP.product_id, TABLE.product_id, ids.new()]), some.integers(1, 999),
    some.integers(0, 10**7), some.sampled_from([[LAMPS], [TABLES], [LAMPS, TABLES], []]),
    some.sampled_from(["standard", "reduced"]), some.integers(0, 10**5),
), max_size=8)  # fmt: skip
OFFERS = some.lists(some.builds(
    offer, some.sampled_from(list(Kind)), some.integers(1, 10_000), buy=some.integers(1, 3), get=some.integers(1, 3),
    categories=some.sampled_from([[], [LAMPS], [TABLES]]), stackable=some.booleans(), priority=some.integers(0, 3),
    minimum=some.integers(0, 10_000),
), max_size=5)  # fmt: skip
RATES = some.builds(pricing.TaxRate, some.just("FR"), some.just("standard"), some.integers(0, 10**6),
                    included=some.booleans())  # fmt: skip


@given(ITEMS, OFFERS, RATES)
def test_sums_always_add_up_and_nobody_is_paid_to_buy(items, offers, rate):
    method = pricing.ShippingMethod(code="post", name="Post", by="weight", steps=STEPS, currency="EUR")
    terms = Terms("EUR", "FR", offers=offers, rules=pricing.Rules([rate], [method]))
    found = quote(items, terms, NOW)
    assert found.subtotal == sum(item.unit_price * item.quantity for item in items)
    assert found.discount == sum(found.line_discounts) == sum(reason.amount for reason in found.discounts)
    for item, taken in zip(items, found.line_discounts, strict=True):
        assert 0 <= taken <= item.unit_price * item.quantity
    assert found.tax_included in ((found.tax,) if rate.included else (0,))
    assert found.total == found.subtotal - found.discount + found.shipping + found.tax - found.tax_included >= 0
    taxes = sum(reason.amount for reason in found.reasons if reason.kind == "tax")
    assert taxes == found.tax >= sum(tax.amount for tax in found.line_taxes)
    assert {reason.name for reason in found.reasons if reason.kind == "offer"} <= {one.name for one in offers}


@given(some.integers(0, 10**9), some.lists(some.integers(0, 10**6), min_size=1, max_size=9))
def test_nothing_is_lost_in_spreading(amount, over):
    shares = spread(amount, over)
    if sum(over):
        assert sum(shares) == amount
        for share, part in zip(shares, over, strict=True):
            assert abs(share - Fraction(amount * part, sum(over))) < 1


@given(some.integers(0, 10**9), RATES)
def test_taxes_are_rounded_half_up(amount, rate):
    share = Fraction(rate.rate, 10**6)
    exact = amount * share / (1 + share) if rate.included else amount * share
    assert -Fraction(1, 2) < pricing.tax_of(amount, rate) - exact <= Fraction(1, 2)


def test_rates_by_region_and_class():
    reduced = msgspec.structs.replace(FRANCE, tax_class="reduced", rate=55_000)
    corsica = msgspec.structs.replace(FRANCE, region="Corse", rate=100_000)
    rates = [FRANCE, reduced, corsica]
    assert pricing.rate_for(rates, "FR", None, "standard") is FRANCE
    assert pricing.rate_for(rates, "FR", "Bretagne", "standard") is FRANCE
    assert pricing.rate_for(rates, "FR", "Corse", "standard") is corsica
    assert pricing.rate_for(rates, "FR", " corse ", "standard") is corsica
    assert pricing.rate_for(rates, "FR", "Corse", "reduced") is reduced
    assert pricing.rate_for(rates, "DE", None, "standard") is None
    assert [pricing.tax_of(1000, one) for one in (FRANCE, reduced, None)] == [167, 52, 0]
    assert pricing.tax_of(1000, msgspec.structs.replace(FRANCE, included=False)) == 200
    assert [share_of(5, 1000), share_of(4, 1000)] == [1, 0]


def test_ways_to_send_it():
    def method(code: str, **more: Any) -> pricing.ShippingMethod:
        given = {"by": "flat", "steps": [pricing.Step(0, 400)], "currency": "EUR"} | more
        return pricing.ShippingMethod(code=code, name=code.title(), **given)

    methods = [
        method("post", by="weight", steps=STEPS), method("cheap", by="total", steps=[*STEPS, pricing.Step(7001, 50)]),
        method("near", countries=["DE"]), method("dollar", currency="USD"), method("letter", heaviest_g=11_999),
        method("gift", free_from=7001),
    ]  # fmt: skip
    terms = Terms("EUR", "FR", rules=pricing.Rules([FRANCE], methods))
    found = quote([LAMP, TABLE], terms, NOW)
    assert [(one.method.code, one.price) for one in found.choices] == [("post", 900), ("cheap", 50), ("gift", 0)]
    assert (found.method, found.shipping, found.tax) == ("post", 900, 333 + 834 + 150)
    chosen = quote([LAMP, TABLE], replace(terms, shipping_method="gift"), NOW)
    assert (chosen.method, chosen.shipping, chosen.total) == ("gift", 0, 7001)
    free = quote([LAMP, TABLE], replace(terms, offers=[offer(Kind.FREE_SHIPPING, 0)]), NOW)
    assert {one.price for one in free.choices} == {0}
    less = quote([LAMP, TABLE], replace(terms, offers=[offer(Kind.FIXED, 1)]), NOW)
    assert {one.method.code: one.price for one in less.choices} == {"post": 900, "cheap": 900, "gift": 400}
    nowhere = quote([LAMP], replace(terms, rules=pricing.Rules([], methods[2:4])), NOW)
    assert (nowhere.served, nowhere.method, nowhere.shipping) == (False, None, 0)
