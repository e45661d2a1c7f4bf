"""Stories of what goods cost for whom: price lists, other currencies, sales by the clock."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import timedelta
from uuid import UUID

import pytest

from tests.journeys.test_buying import PLACING
from tests.making import new_product, some_products
from tfmshop.commerce import accounts, catalog, pricing
from tfmshop.commerce.pricing.errors import BadPriceList, BadSale, PriceListNotFound, SaleNotFound
from tfmshop.commerce.pricing.lists import PriceList
from tfmshop.commerce.pricing.store_lists import HOLD_SALE
from tfmshop.commerce.vocabulary import Money, spelled
from tfmshop.platform import clock
from tfmshop.platform.db import Query, broken
from tfmshop.platform.jobs import SCHEDULES

LATER = Query("test.later", "UPDATE pricing.sale SET starts_at = starts_at - $1::interval, ends_at = ends_at - $1")
PRICES = Query("test.variant_prices", "SELECT price::int, compare_at_price::int FROM catalog.variant WHERE sku = $1")


@pytest.fixture
async def lamp(db) -> str:
    async with db.tx() as tx:
        return (await some_products(tx, new_product(sku="LAMP", price=2000, stock=10)))[0]


async def a_list(db, amount: int, *, code: str = "a", **more) -> None:
    async with db.tx() as tx:
        await pricing.lists.put(tx, PriceList(**{"code": code, "name": f"List {code}", "currency": "USD"} | more))
        await pricing.lists.set_prices(tx, code, {"LAMP": amount})


async def total(shop, cart) -> int:
    seen = await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})
    return seen.json()["total"]["amount"]


async def test_the_lowest_price_that_holds_counts_and_says_where_it_comes_from(shop, db, lamp, queries):
    cart = await shop.cart_with((lamp, 2))
    await a_list(db, 1500)
    await a_list(db, 1700, code="b")
    await a_list(db, 2500, code="dear")
    queries.clear()
    seen = (await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})).json()
    assert queries.names == ["cart.view"]
    assert (seen["lines"][0]["unit_price"]["amount"], seen["total"]["amount"]) == (1500, 3000)
    assert [remark["code"] for remark in seen["warnings"]] == ["price_changed"]
    why = (await shop.get(f"carts/{cart['id']}/why", headers={"Cart-Token": cart["token"]})).json()
    assert [(one["name"], one["applied"], one["amount"]) for one in why if one["kind"] == "price"] == [
        ("List a", True, 1000)
    ]
    queries.clear()
    order = (await shop.buy(cart, expected_total={"amount": 3000, "currency": "USD"})).json()
    assert queries.names == PLACING
    assert (order["lines"][0]["unit_price"]["amount"], order["total"]["amount"]) == (1500, 3000)
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_a_list_for_a_group_is_for_nobody_else(shop, db, lamp):
    await a_list(db, 1200, customer_group="wholesale")
    mine, other = await shop.sign_in("a@example.com"), await shop.sign_in("b@example.com")
    async with db.tx() as tx:
        await accounts.staff.set_group(tx, " A@example.com", "wholesale")
    for headers, expected in ((mine, 1200), (other, 2000)):
        cart = (await shop.get("carts/mine", headers=headers)).json()
        added = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1}, headers=headers)
        assert added.json()["total"]["amount"] == expected
        assert added.json()["warnings"] == []
    assert await total(shop, await shop.cart_with((lamp, 1))) == 2000


async def test_a_list_has_its_time(shop, db, lamp):
    now, day = clock.now(), timedelta(days=1)
    await a_list(db, 1, code="past", starts_at=now - 2 * day, ends_at=now - day)
    await a_list(db, 2, code="coming", starts_at=now + day)
    cart = await shop.cart_with((lamp, 1))
    assert await total(shop, cart) == 2000
    await a_list(db, 3, code="now", starts_at=now - day, ends_at=now + day)
    assert await total(shop, cart) == 3
    async with db.tx() as tx:
        await pricing.lists.drop_price(tx, "now", "LAMP")
    assert await total(shop, cart) == 2000


async def test_a_cart_in_another_currency_takes_what_has_a_price_in_it(shop, db, lamp):
    async with db.tx() as tx:
        shade = (await some_products(tx, new_product(sku="SHADE", price=500)))[0]
    await a_list(db, 1800, code="eur", currency="EUR")
    cart = (await shop.post("carts?currency=EUR")).json()
    headers = {"Cart-Token": cart["token"]}
    added = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1}, headers=headers)
    assert added.json()["total"] == {"amount": 1800, "currency": "EUR"}
    refused = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": shade, "quantity": 1}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_currency")
    async with db.tx() as tx:
        await pricing.lists.drop(tx, "eur")
    gone = (await shop.get(f"carts/{cart['id']}", headers=headers)).json()
    assert (gone["lines"], [one["code"] for one in gone["warnings"]]) == ([], ["unavailable"])
    assert (await shop.buy(cart)).json()["code"] == "product_unavailable"
    await a_list(db, 1700, code="eur", currency="EUR")
    order = (await shop.buy(cart)).json()
    assert order["total"] == {"amount": 1700, "currency": "EUR"}
    assert (await shop.post("carts?currency=euro")).status_code == 422


async def test_lists_that_cannot_be(db, lamp):
    now = clock.now()
    for wrong in ({"code": "A B"}, {"currency": "euro"}, {"starts_at": now, "ends_at": now}):
        with pytest.raises(BadPriceList):
            await a_list(db, 1, **wrong)
    await a_list(db, 1000)
    for change, error in [(lambda tx: pricing.lists.set_prices(tx, "a", {"LAMP": 5, "NONE": 1}), BadPriceList),
                          (lambda tx: pricing.lists.set_prices(tx, "b", {"LAMP": 5}), PriceListNotFound),
                          (lambda tx: pricing.lists.set_prices(tx, "a", {"LAMP": -1}), BadPriceList),
                          (lambda tx: pricing.lists.drop(tx, "b"), PriceListNotFound)]:  # fmt: skip
        with pytest.raises(error):
            await db.transact(change)
    async with db.read() as tx:
        assert [(one.code, one.prices) for one in await pricing.lists.every(tx)] == [("a", 1)]


async def run(db, *, after: timedelta = timedelta(0)) -> tuple[int, int | None]:
    """Let time go by and the clock's job run; what the lamp costs, and beside it."""
    async with db.tx() as tx:
        await tx.execute(LATER, after)
    await SCHEDULES["pricing.sales"].task(db)
    async with db.read() as tx:
        return tuple(await tx.row(PRICES, "LAMP"))


async def a_sale(db, price: int = 1500) -> UUID:
    now = clock.now()
    return await db.transact(
        lambda tx: pricing.sales.plan(tx, "LAMP", price, now + timedelta(hours=1), now + timedelta(hours=2))
    )


async def test_a_sale_begins_and_ends_by_the_clock_and_is_seen_everywhere(shop, db, lamp):
    await a_sale(db)
    assert await run(db) == (2000, None)
    assert await run(db, after=timedelta(minutes=61)) == (1500, 2000)
    listed = (await shop.get("products?max_price=1600")).json()["items"]
    assert [(one["price"]["amount"], one["compare_at_price"]["amount"]) for one in listed] == [(1500, 2000)]
    assert await total(shop, await shop.cart_with((lamp, 1))) == 1500
    assert await run(db) == (1500, 2000)
    assert await run(db, after=timedelta(hours=1)) == (2000, None)
    async with db.read() as tx:
        assert [one.state for one in await pricing.sales.listed(tx, 10, over=True)] == ["over"]
        assert await pricing.sales.listed(tx, 10) == []
        assert await broken(tx) == {}


async def test_a_price_that_staff_changed_during_a_sale_stays(db, lamp):
    await a_sale(db)
    await run(db, after=timedelta(minutes=61))
    async with db.tx() as tx:
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=1400))
    assert await run(db, after=timedelta(hours=1)) == (1400, 2000)


async def test_a_sale_that_lowers_nothing_any_more_does_not_begin(db, lamp):
    await a_sale(db)
    async with db.tx() as tx:
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=1400))
    assert await run(db, after=timedelta(minutes=61)) == (1400, None)


async def test_a_sale_is_called_off_or_ended(db, lamp):
    for hours in (0, 1.5):
        id = await a_sale(db)
        await run(db, after=timedelta(hours=hours))
        await db.transact(lambda tx, one=id: pricing.sales.end(tx, one))
        assert await run(db) == (2000, None)
        with pytest.raises(SaleNotFound):
            await db.transact(lambda tx, one=id: pricing.sales.end(tx, one))


async def test_sales_that_cannot_be(db, lamp):
    now = clock.now()
    await a_sale(db)
    for sku, price, ends, error in [
        ("LAMP", 1000, now + timedelta(minutes=90), BadSale),
        ("NONE", 1, now + timedelta(hours=1), catalog.errors.ProductNotFound),
    ]:  # fmt: skip
        with pytest.raises(error):
            await db.transact(lambda tx, a=(sku, price, now, ends): pricing.sales.plan(tx, *a))
    async with db.tx() as tx:
        id = (await pricing.sales.listed(tx, 1))[0].id
        await pricing.sales.end(tx, id)
    for price, ends in [(2000, now + timedelta(hours=1)), (-1, now + timedelta(hours=1)), (1, now),
                        (1, now - timedelta(hours=1))]:  # fmt: skip
        with pytest.raises(BadSale):
            await db.transact(lambda tx, a=("LAMP", price, now, ends): pricing.sales.plan(tx, *a))
    async with db.read() as tx:
        assert await pricing.sales.listed(tx, 5) == []


async def test_a_cart_in_a_currency_that_nothing_ships_in_is_not_delivered(shop, db, lamp):
    async with db.tx() as tx:
        await pricing.set_method(tx, pricing.ShippingMethod(
            code="post", name="Post", by="flat", steps=[pricing.Step(0, 490)], currency="USD", countries=["US"]
        ))  # fmt: skip
    await a_list(db, 1800, code="eur", currency="EUR")
    cart = (await shop.post("carts?currency=EUR")).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1},
                    headers={"Cart-Token": cart["token"]})  # fmt: skip
    answer = await shop.buy(cart)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_deliverable")


async def test_the_expected_total_has_the_currency_of_the_cart(shop, db, lamp):
    await a_list(db, 1800, code="eur", currency="EUR")
    cart = (await shop.post("carts?currency=EUR")).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1},
                    headers={"Cart-Token": cart["token"]})  # fmt: skip
    wrong = await shop.buy(cart, expected_total={"amount": 1800, "currency": "USD"})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["currency"]) == (409, "price_changed", "EUR")
    assert wrong.json()["detail"] == "The total is 18.00 EUR, not the expected 18.00 USD."
    assert (await shop.buy(cart, expected_total={"amount": 1800, "currency": "EUR"})).status_code == 201


async def test_a_list_keeps_its_currency_while_it_has_prices(db, lamp):
    await a_list(db, 100, currency="EUR")
    with pytest.raises(BadPriceList):
        await db.transact(lambda tx: pricing.lists.put(tx, PriceList("a", "A", "USD")))
    await db.transact(lambda tx: pricing.lists.drop_price(tx, "a", "LAMP"))
    await db.transact(lambda tx: pricing.lists.put(tx, PriceList("a", "A", "USD")))


async def test_a_price_that_staff_set_while_a_sale_begins_stays(wide_db):
    async with wide_db.tx() as tx:
        await some_products(tx, new_product(sku="LAMP", price=2000, stock=10))
    await a_sale(wide_db)
    async with wide_db.tx() as tx:
        await tx.execute(LATER, timedelta(minutes=61))
    async with wide_db.tx() as tx:
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=900))
        beginning = asyncio.create_task(wide_db.transact(pricing.sales.move_due), context=contextvars.Context())
        await asyncio.sleep(0.3)
    await beginning
    assert await run(wide_db, after=timedelta(hours=1)) == (900, None)


async def test_what_staff_set_beside_the_price_during_a_sale_stays(db, lamp):
    await a_sale(db)
    await run(db, after=timedelta(minutes=61))
    async with db.tx() as tx:
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(compare_at_price=2600))
    assert await run(db, after=timedelta(hours=1)) == (2000, 2600)


async def test_sales_of_one_variant_follow_each_other_and_never_meet(db, lamp):
    now = clock.now()

    async def plan(begins: int, ends: int) -> UUID:
        return await db.transact(lambda tx: pricing.sales.plan(
            tx, "LAMP", 1500, now + timedelta(days=begins), now + timedelta(days=ends)
        ))  # fmt: skip

    await plan(1, 2)
    await plan(2, 3)
    for begins, ends in ((1, 2), (0, 5), (2, 4)):
        with pytest.raises(BadSale):
            await plan(begins, ends)


def test_amounts_have_the_decimals_of_their_currency():
    for currency, text in (("EUR", "1,234.56 EUR"), ("JPY", "123,456 JPY"), ("KWD", "123.456 KWD")):
        assert spelled(Money(123_456, currency)) == text


async def test_sales_that_touch_give_the_regular_price_back(db, lamp):
    now = clock.now()

    async def plan(price: int, begins: float, ends: float) -> UUID:
        return await db.transact(lambda tx: pricing.sales.plan(
            tx, "LAMP", price, now + timedelta(hours=begins), now + timedelta(hours=ends)
        ))  # fmt: skip

    first = await plan(1500, 1, 2)
    await run(db, after=timedelta(hours=1.1))
    await plan(1800, 0.9, 1.9)
    assert await run(db) == (1500, 2000)
    async with db.tx() as tx:
        await tx.execute(LATER, timedelta(hours=0.95))
        held = await tx.row(HOLD_SALE, first)
        assert held["state"] == "running"
    assert await run(db) == (1800, 2000)
    assert await run(db, after=timedelta(hours=1)) == (2000, None)
