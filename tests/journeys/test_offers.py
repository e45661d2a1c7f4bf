"""Coupons, offers, shipping and taxes, from the cart to the order and back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.client import ADDRESS
from tests.making import a_product
from tfmshop.commerce import pricing, promotions
from tfmshop.commerce.promotions.errors import BadOffer, OfferNotFound
from tfmshop.platform import ids
from tfmshop.platform.db import Query, broken

USED = Query("test.used", "SELECT used FROM promotions.offer WHERE code = $1")
STAMP = Query("test.stamp", "SELECT xmin::text FROM promotions.offer WHERE code = $1")
PLACING = ["platform.begin_key", "cart.close", "orders.place", "inventory.take", "orders.settle"]


def offer(code: str | None = None, **more: Any) -> promotions.Offer:
    given = {"id": ids.new(), "name": "Ten off", "kind": promotions.Kind.PERCENT, "value": 1000, "code": code} | more
    return promotions.Offer(**given)


@pytest.fixture
async def lamp(db) -> str:
    """A lamp of 19.99, in a shop with taxes and two ways to send it."""
    async with db.tx() as tx:
        await pricing.set_rate(tx, pricing.TaxRate("FR", "standard", 200_000, name="TVA"))
        for position, (code, price) in enumerate([("post", 490), ("courier", 1200)]):
            method = pricing.ShippingMethod(
                code=code, name=code.title(), by="flat", steps=[pricing.Step(0, price)], currency="USD"
            )
            await pricing.set_method(tx, method, position)
        return await a_product(tx, price=1999, stock=50)


async def add(db, *offers: promotions.Offer) -> None:
    async with db.tx() as tx:
        for one in offers:
            await promotions.add(tx, one)


def amounts(body: dict[str, Any]) -> list[int]:
    names = ("subtotal", "discount", "shipping", "tax", "tax_included", "total")
    return [body[name]["amount"] for name in names]


async def test_from_the_cart_to_the_order(shop, db, lamp, queries):
    await add(db, offer("TEN"), offer(name="Big carts", value=5000, minimum=100_000))
    cart = await shop.cart_with((lamp, 2))
    headers, path = {"Cart-Token": cart["token"]}, f"carts/{cart['id']}"
    wrong = await shop.put(f"{path}/coupon", json={"code": "twenty"}, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "coupon_invalid")
    assert (await shop.put(f"{path}/coupon", json={"code": " ten "}, headers=headers)).json()["coupon"] == "TEN"
    address = {"name": "A", "line1": "1 Road", "city": "Lyon", "country": "FR"}
    await shop.put(f"{path}/address", json=address, headers=headers)
    wrong = await shop.put(f"{path}/shipping", json={"method": "pigeon"}, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (404, "shipping_method_not_found")
    queries.clear()
    seen = (await shop.get(path, headers=headers)).json()
    assert queries.names == ["cart.view"]
    assert amounts(seen) == [3998, 400, 490, 600 + 82, 682, 4088]
    assert [choice["code"] for choice in seen["shipping_choices"]] == ["post", "courier"]
    chosen = await shop.put(f"{path}/shipping", json={"method": "courier"}, headers=headers)
    assert amounts(chosen.json()) == [3998, 400, 1200, 800, 800, 4798]
    told = {reason["name"]: reason for reason in (await shop.get(f"{path}/why", headers=headers)).json()}
    assert {name: reason["applied"] for name, reason in told.items()} == {
        "Ten off": True, "Big carts": False, "Post": False, "Courier": True, "TVA": True,
    }  # fmt: skip
    assert told["Big carts"]["why"] == "it needs 100000, and the cart has 3998"
    refused = await shop.buy(cart, address=address, shipping_method="pigeon")
    assert (refused.status_code, refused.json()["code"], refused.json()["method"]) == (
        404, "shipping_method_not_found", "pigeon",
    )  # fmt: skip
    stamp = await value(db, STAMP, "TEN")
    queries.clear()
    bought = await shop.buy(cart, address=address, expected_total=4798)
    assert bought.status_code == 201, bought.text
    assert queries.names == PLACING
    assert await value(db, STAMP, "TEN") == stamp
    order = bought.json()
    assert amounts(order) == [3998, 400, 1200, 800, 800, 4798]
    assert (order["shipping_method"], order["discounts"][0]["code"]) == ("courier", "TEN")
    assert (order["lines"][0]["discount"]["amount"], order["lines"][0]["tax"]["amount"]) == (400, 600)
    found = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert amounts(found.json()) == amounts(order)
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_a_limited_coupon_is_used_up_and_comes_back(shop, db, lamp, queries):
    await add(db, offer("ONE", max_uses=1), offer("MINE", max_uses_per_customer=1))
    first, second = await shop.cart_with((lamp, 1)), await shop.cart_with((lamp, 1))
    for cart in (first, second):
        used = await shop.put(f"carts/{cart['id']}/coupon", json={"code": "ONE"}, headers={"Cart-Token": cart["token"]})
        assert used.status_code == 200
    queries.clear()
    assert (await shop.buy(first, token="decline")).status_code == 402
    assert queries.names[:5] == [*PLACING[:2], "promotions.redeem", *PLACING[2:4]]
    assert await value(db, USED, "ONE") == 0
    assert (await shop.buy(first)).status_code == 201
    late = await shop.buy(second)
    assert (late.status_code, late.json()["code"]) == (409, "coupon_invalid")
    for email, status in (("A@example.com", 201), ("a@example.com", 409), ("b@example.com", 201)):
        cart = await shop.cart_with((lamp, 1))
        await shop.put(f"carts/{cart['id']}/coupon", json={"code": "MINE"}, headers={"Cart-Token": cart["token"]})
        bought = await shop.buy(cart, email=email)
        assert bought.status_code == status, bought.text
    async with db.tx() as tx:
        assert await broken(tx) == {}
        with pytest.raises(OfferNotFound):
            await promotions.end(tx, "NONE")
        await promotions.end(tx, "MINE")
        assert [one.code for one in await promotions.running(tx, 10)] == ["ONE"]


async def test_who_used_an_automatic_offer_buys_on_without_it(shop, db, lamp):
    await add(db, offer(name="Welcome", max_uses_per_customer=1))
    totals = []
    for email in ("A@example.com", "a@example.com", "b@example.com"):
        cart = await shop.cart_with((lamp, 1))
        bought = await shop.buy(cart, email=email)
        assert bought.status_code == 201, bought.text
        totals.append(bought.json()["discount"]["amount"])
    assert totals[0] == totals[2] > totals[1] == 0
    person, body = (
        await shop.sign_in("c@example.com"),
        {"payment": {"provider": "fake", "token": "ok"}, "address": ADDRESS},
    )
    offs = []
    for n in range(2):
        mine = (await shop.get("carts/mine", headers=person)).json()
        line = {"product_id": lamp, "quantity": 1}
        shown = (await shop.post(f"carts/{mine['id']}/lines", json=line, headers=person)).json()
        offs.append(shown["discount"]["amount"])
        headers = person | {"Idempotency-Key": f"k{n}"}
        bought = await shop.post(f"carts/{mine['id']}/checkout", json=body, headers=headers)
        assert (bought.status_code, bought.json()["discount"]["amount"]) == (201, offs[-1]), bought.text
    assert offs[0] > offs[1] == 0
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_where_nothing_is_sent(shop, db, lamp):
    async with db.tx() as tx:
        for code in ("post", "courier"):
            await pricing.drop_method(tx, code)
        await pricing.set_method(tx, pricing.ShippingMethod(
            code="local", name="Local", by="flat", steps=[pricing.Step(0, 1)], currency="USD", countries=["DE"]
        ))  # fmt: skip
    refused = await shop.buy(await shop.cart_with((lamp, 1)))
    assert (refused.status_code, refused.json()["code"]) == (409, "not_deliverable")


@pytest.mark.parametrize("wrong", [
    {"value": 0}, {"value": 10_001}, {"name": " "}, {"kind": promotions.Kind.FIXED}, {"max_uses": 0},
    {"kind": promotions.Kind.BUY_GET}, {"code": "TAKEN"},
])  # fmt: skip
async def test_offers_that_cannot_be(db, wrong):
    await add(db, offer("TAKEN"))
    with pytest.raises(BadOffer):
        await add(db, offer(**wrong))


async def test_a_coupon_of_ten_in_a_race(busy_shop, wide_db):
    """R7, small: exactly ten of 40 carts get it, and one customer gets theirs once."""
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, stock=500)
    await add(wide_db, offer("TEN", max_uses=10), offer("ONCE", max_uses_per_customer=1))

    async def cart_with(code: str) -> dict[str, Any]:
        cart = await busy_shop.cart_with((lamp, 1))
        await busy_shop.put(f"carts/{cart['id']}/coupon", json={"code": code}, headers={"Cart-Token": cart["token"]})
        return cart

    for code, carts, winners in (("TEN", 40, 10), ("ONCE", 12, 1)):
        made = [await cart_with(code) for _ in range(carts)]
        answers = await asyncio.gather(*[busy_shop.buy(cart, email="same@example.com") for cart in made])
        assert [answer.status_code for answer in answers].count(201) == winners
        refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert refused <= {"coupon_exhausted", "coupon_invalid"}
    async with wide_db.tx() as tx:
        assert await broken(tx) == {}
        await tx.execute(
            Query(
                "test.forget",
                "DELETE FROM promotions.redemption WHERE ctid = (SELECT min(ctid) FROM promotions.redemption)",
            )
        )
        assert list(await broken(tx)) == ["a limited offer was used as often as its orders say"]


async def value(db, query: Query, *arguments: object) -> Any:
    async with db.read() as tx:
        return await tx.value(query, *arguments)
