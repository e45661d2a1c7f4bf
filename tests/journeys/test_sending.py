"""Parcels: some of an order, then the rest; two members of staff at once; what cannot be sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.journeys.test_money import work_off
from tests.making import a_product, moved_by, new_product, some_products, take_money
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, inventory, orders
from tfmshop.platform.db import Query, broken

LETTERS = Query("test.sent_letters", "SELECT kind FROM news.letter")
BACK = Query("test.sent_back", "SELECT coalesce(sum(amount), 0)::int FROM payments.refund")
PAID_BACK = Query("test.paid_back", "UPDATE orders.placed SET status = 'refunded', payment_status = 'refunded'")
ELSEWHERE = Query(
    "test.elsewhere",
    """
WITH gone AS (DELETE FROM payments.capture)
UPDATE orders.placed SET payment_provider = 'moved-in', payment_status = 'captured', cart_id = NULL""",
)
NOT_TAKEN = Query(
    "test.not_taken",
    """
WITH gone AS (DELETE FROM payments.capture) UPDATE orders.placed SET payment_status = 'authorized'""",
)


async def three_lamps(shop, db) -> dict[str, Any]:
    async with db.tx() as tx:
        lamp = await a_product(tx, sku="LAMP", price=1000, stock=10)
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    await take_money(db)
    return order


@pytest.fixture
async def order(shop, db) -> dict[str, Any]:
    """A paid order of three lamps."""
    return await three_lamps(shop, db)


async def send(shop, order, **parcel):
    return await shop.post(f"admin/orders/{order['number']}/shipments", json=parcel, headers=staff("support"))


async def test_an_order_is_sent_in_parts_and_arrives(shop, db, order):
    first = await send(shop, order, lines=[{"sku": "LAMP", "quantity": 1}], carrier="DHL", tracking="00340434")
    assert (first.status_code, first.json()["status"]) == (201, "partially_shipped")
    early = await shop.post(f"admin/orders/{order['number']}/deliver", headers=staff())
    assert (early.status_code, early.json()["code"]) == (409, "order_cannot_move")
    second = (await send(shop, order)).json()
    assert second["status"] == "shipped"
    assert [(p["carrier"], p["tracking"], p["lines"]) for p in second["shipments"]] == [
        ("DHL", "00340434", [{"sku": "LAMP", "quantity": 1}]), ("", "", [{"sku": "LAMP", "quantity": 2}])
    ]  # fmt: skip
    seen = (await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})).json()
    assert (seen["shipments"], seen["lines"][0]["shipped"]) == (second["shipments"], 3)
    assert [step["status"] for step in seen["history"]] == ["placed", "paid", "partially_shipped", "shipped"]
    assert (await shop.post(f"admin/orders/{order['number']}/deliver", headers=staff())).json()["status"] == "delivered"
    async with db.read() as tx:
        assert await broken(tx) == {}


@pytest.mark.parametrize(("parcel", "code"), [
    ({"lines": [{"sku": "LAMP", "quantity": 4}]}, "cannot_ship"),
    ({"lines": [{"sku": "LAMP", "quantity": 2}, {"sku": "LAMP", "quantity": 2}]}, "cannot_ship"),
    ({"lines": [{"sku": "NONE", "quantity": 1}]}, "cannot_ship"),
    ({"lines": []}, "invalid_request"),
    ({"lines": [{"sku": "LAMP", "quantity": 0}]}, "invalid_request"),
    ({"lines": [{"sku": "LAMP", "quantity": 10**9}]}, "invalid_request"),
])  # fmt: skip
async def test_what_cannot_be_sent_changes_nothing(shop, order, parcel, code):
    answer = await send(shop, order, **parcel)
    assert (answer.status_code in (409, 422), answer.json()["code"]) == (True, code)
    seen = (await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})).json()
    assert (seen["status"], seen["shipments"]) == ("paid", [])


async def test_five_people_who_send_the_rest_send_it_once(busy_shop, wide_db):
    order = await three_lamps(busy_shop, wide_db)
    answers = await asyncio.gather(*(send(busy_shop, order) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    seen = (await busy_shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})).json()
    assert [line["quantity"] for parcel in seen["shipments"] for line in parcel["lines"]] == [3]


async def test_what_was_sent_is_not_cancelled_and_what_was_cancelled_is_not_sent(shop, db, order):
    await send(shop, order, lines=[{"sku": "LAMP", "quantity": 1}])
    async with db.tx() as tx:
        with pytest.raises(orders.CannotMove):
            await checkout.cancel(tx, await orders.browse.id_of(tx, str(order["number"])), who="staff", why="")


async def test_an_order_that_was_cancelled_or_never_was_is_not_sent(shop, order):
    token = {"Order-Token": order["token"]}
    assert (await shop.post(f"orders/{order['id']}/cancel", headers=token)).json()["status"] == "cancelled"
    assert (await send(shop, order)).json()["code"] == "order_cannot_move"
    missing = await send(shop, {"number": "NONE0-NONE0"})
    assert (missing.status_code, missing.json()["code"]) == (404, "order_not_found")


async def test_nothing_is_sent_before_its_money_was_taken(shop, db, fake):
    moved_by(fake=fake)
    async with db.tx() as tx:
        lamp = await a_product(tx, sku="LAMP", price=1000, stock=10)
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    early = await send(shop, order)
    assert (early.status_code, early.json()["code"]) == (409, "order_cannot_move")
    assert "not paid for yet" in early.json()["detail"]
    assert (await shop.post(f"admin/orders/{order['number']}/pack", headers=staff())).json()["status"] == "packed"
    await work_off(db)
    assert (await send(shop, order)).json()["status"] == "shipped"


async def test_what_is_not_sent_any_more_goes_back_to_shelf_and_buyer(shop, db, fake):
    moved_by(fake=fake)
    async with db.tx() as tx:
        made = [new_product(sku="LAMP", price=1000, stock=10), new_product(sku="LID", price=333, stock=10)]
        lamp, lid = await some_products(tx, *made)
    order = (await shop.buy(await shop.cart_with((lamp, 3), (lid, 2)))).json()
    path, why = f"admin/orders/{order['number']}", {"why": "sold out"}
    await work_off(db)
    early = await shop.post(f"{path}/cancel-rest", json=why, headers=staff())
    assert (early.status_code, early.json()["code"]) == (409, "order_cannot_move")
    await send(shop, order, lines=[{"sku": "LAMP", "quantity": 2}])
    told = [await shop.post(f"{path}/cancel-rest", json=why, headers=staff()) for _ in range(2)]
    assert [answer.status_code for answer in told] == [200, 409]
    after = told[0].json()
    assert (after["status"], after["payment_status"]) == ("shipped", "partially_refunded")
    assert [one["amount"]["amount"] for one in after["refunds"]] == [1000 + 2 * 333]
    await work_off(db)
    assert fake.taken(order["id"]) == 2000
    async with db.read() as tx:
        assert await broken(tx) == {}
        assert {one.sku: one.available for one in await inventory.levels.listed(tx, 100, 10)} == {"LAMP": 8, "LID": 10}
    assert [(line["sku"], line["quantity"], line["shipped"]) for line in after["lines"]] == [("LAMP", 2, 2)]
    wish = {"lines": [{"sku": "LAMP", "quantity": 3}]}
    mine = {"Order-Token": order["token"]}
    page = await shop.get(f"orders/{order['id']}/invoice.html", headers=mine)
    assert ("20.00 USD" in page.text, "26.66 USD" in page.text, "LID" in page.text) == (True, False, False)
    async with db.read() as tx:
        assert "rest" in [row[0] for row in await tx.rows(LETTERS)]
    asked = await shop.post(f"orders/{order['id']}/returns", json=wish, headers=mine)
    assert (asked.json()["code"], asked.json()["left"]) == ("cannot_return", 2)
    assert (await shop.post(f"{path}/deliver", headers=staff())).json()["status"] == "delivered"


async def part_of_it_sent(shop, db) -> dict[str, Any]:
    """An order of three lamps, one of which is on its way."""
    order = await three_lamps(shop, db)
    assert (await send(shop, order, lines=[{"sku": "LAMP", "quantity": 1}])).status_code == 201
    return order


async def state(db) -> tuple[int, int]:
    """Lamps on the shelf, and money that went back."""
    async with db.read() as tx:
        assert await broken(tx) == {}
        (level,) = await inventory.levels.listed(tx, 100, 10)
        return level.available, await tx.value(BACK)


async def call_off(shop, order, **more: Any):
    path = f"admin/orders/{order['number']}/cancel-rest"
    return await shop.post(path, json={"why": "sold out"} | more, headers=staff())


async def test_with_its_invoice_written_the_rest_is_noted_as_come_back(shop, db):
    order = await part_of_it_sent(shop, db)
    mine = {"Order-Token": order["token"]}
    before = (await shop.get(f"orders/{order['id']}/invoice.html", headers=mine)).text
    after = (await call_off(shop, order)).json()
    assert (after["status"], after["lines"][0]["quantity"]) == ("shipped", 3)
    assert await state(db) == (9, 2000)
    assert (await shop.get(f"orders/{order['id']}/invoice.html", headers=mine)).text == before
    again = await call_off(shop, order)
    assert (again.status_code, again.json()["code"]) == (409, "order_cannot_move")
    wish = {"lines": [{"sku": "LAMP", "quantity": 2}]}
    asked = await shop.post(f"orders/{order['id']}/returns", json=wish, headers=mine)
    assert asked.json()["left"] == 1


@pytest.mark.parametrize(("amount", "back"), [(0, 2000), (500, 2500), (1001, None)])
async def test_of_what_went_back_before_nothing_goes_back_twice(shop, db, amount, back):
    order = await part_of_it_sent(shop, db)
    await shop.post(f"admin/orders/{order['number']}/refunds", json={"why": "late", "amount": 2000}, headers=staff())
    answer = await call_off(shop, order, amount=amount)
    assert answer.status_code == (200 if back else 409), answer.text
    assert await state(db) == ((9, back) if back else (7, 2000))


async def test_of_an_order_that_was_paid_back_as_a_whole_the_rest_goes_to_the_shelf(shop, db):
    order = await part_of_it_sent(shop, db)
    await shop.post(f"admin/orders/{order['number']}/refunds", json={"why": "sold out"}, headers=staff())
    assert await state(db) == (7, 3000)
    answer = await call_off(shop, order)
    assert (answer.status_code, answer.json()["status"]) == (200, "refunded"), answer.text
    assert await state(db) == (9, 3000)
    assert (await call_off(shop, order)).status_code == 409
    wish, mine = {"lines": [{"sku": "LAMP", "quantity": 1}]}, {"Order-Token": order["token"]}
    assert (await shop.post(f"orders/{order['id']}/returns", json=wish, headers=mine)).status_code == 201


async def test_of_an_order_of_which_nothing_was_noted_as_sent_there_is_no_rest(shop, db, order):
    """Older releases sent without noting what, and paid back."""
    async with db.tx() as tx:
        await tx.execute(PAID_BACK)
    assert (await call_off(shop, order)).json()["code"] == "order_cannot_move"


@pytest.mark.parametrize("by", ["staff", "buyer"])
async def test_a_sample_order_is_cancelled_and_lowered_without_money(shop, db, order, by):
    async with db.tx() as tx:
        await tx.execute(ELSEWHERE)
    path = f"admin/orders/{order['number']}"
    lower = {"lines": [{"sku": "LAMP", "quantity": 1}]}
    lowered = await shop.patch(path, json=lower, headers=staff())
    assert (lowered.status_code, lowered.json().get("refunds", [])) == (200, []), lowered.text
    back = await shop.post(f"{path}/refunds", json={"why": "late"}, headers=staff())
    assert (back.json()["code"], "another shop's" in back.json()["detail"]) == ("cannot_refund", True)
    mine = {"Order-Token": order["token"]}
    if by == "staff":
        cancelled = await shop.post(f"{path}/cancel", json={"why": "asked"}, headers=staff())
    else:
        cancelled = await shop.post(f"orders/{order['id']}/cancel", headers=mine)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text


async def test_the_rest_is_not_called_off_before_its_money_was_taken(shop, db):
    """The release before sent what was not paid for yet."""
    order = await part_of_it_sent(shop, db)
    async with db.tx() as tx:
        await tx.execute(NOT_TAKEN)
    answer = await call_off(shop, order)
    assert (answer.status_code, "not paid for yet" in answer.json()["detail"]) == (409, True)
