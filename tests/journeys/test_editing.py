"""Stories of orders that are changed before they are sent, and of their invoices."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from tests.client import ADDRESS
from tests.conftest import SEALS
from tests.journeys.test_buying import state
from tests.journeys.test_money import work_off
from tests.journeys.test_offers import offer
from tests.making import moved_by, new_product, some_products
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, orders, pricing, promotions
from tfmshop.commerce.orders.editing import _offers
from tfmshop.commerce.orders.model import Discount, worth
from tfmshop.commerce.promotions import Kind
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform.db import Query, broken

INVOICES = Query("test.invoices", "SELECT year, nth FROM orders.invoice ORDER BY nth")
LEVELS = Query("test.levels_by_sku", "SELECT sku, available::int FROM inventory.stock ORDER BY sku")
SELLER = orders.invoices.Seller("Halden & Sons", ["Light Street 5", "10115 Berlin"], "DE123456789")


@pytest.fixture(autouse=True)
def movers(fake):
    moved_by(fake=fake)


@pytest.fixture
async def order(shop, db) -> dict[str, Any]:
    """Three lamps of 10 and a shade of 5, ten percent off, 20 percent tax in the prices, 4.90 for shipping; taken."""
    async with db.tx() as tx:
        lamp, shade = await some_products(
            tx, new_product(sku="LAMP", title="Lamp <b>", price=1000), new_product(sku="SHADE", price=500)
        )
        await pricing.set_rate(tx, pricing.TaxRate("US", pricing.STANDARD, 200_000, name="VAT"))
        await pricing.set_method(tx, pricing.ShippingMethod(
            code="post", name="Post", by="flat", steps=[pricing.Step(0, 490)], currency="USD"
        ))  # fmt: skip
        await promotions.add(tx, offer(kind=Kind.PERCENT, value=1000, code=None))
    answer = await shop.buy(await shop.cart_with((lamp, 3), (shade, 1)))
    assert answer.status_code == 201, answer.text
    await work_off(db)
    return answer.json()


async def edit(shop, order, **change: Any):
    return await shop.patch(f"admin/orders/{order['number']}", json=change, headers=staff())


async def levels(db) -> dict[str, int]:
    async with db.read() as tx:
        return dict(map(tuple, await tx.rows(LEVELS)))


async def test_units_that_go_off_an_order_go_back_and_so_does_their_money(shop, db, fake, order):
    assert (order["total"]["amount"], order["tax"]["amount"]) == (3640, 525 + 82)
    assert order["lines"][0]["tax_rate"] == 200_000
    lines = [{"sku": "LAMP", "quantity": 1}, {"sku": "SHADE", "quantity": 0}]
    answer = await edit(shop, order, lines=lines, why="the buyer called")
    changed = answer.json()
    assert answer.status_code == 200, answer.text
    assert [(line["sku"], line["quantity"], line["total"]["amount"]) for line in changed["lines"]] == [
        ("LAMP", 1, 1000)
    ]
    sums = {name: changed[name]["amount"] for name in ("subtotal", "discount", "tax", "tax_included", "total")}
    assert sums == {"subtotal": 1000, "discount": 100, "tax": 232, "tax_included": 232, "total": 1390}
    assert changed["discounts"][0]["amount"]["amount"] == 100
    assert changed["history"][-1]["why"] == "the buyer called"
    assert (changed["status"], changed["payment_status"]) == ("paid", "partially_refunded")
    assert await levels(db) == {"LAMP": 9, "SHADE": 10}
    await work_off(db)
    assert fake.taken(order["id"]) == 1390
    async with db.read() as tx:
        assert await broken(tx) == {}
    gone = await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    assert gone.json()["status"] == "cancelled"
    await work_off(db)
    assert fake.taken(order["id"]) == 0
    assert await levels(db) == {"LAMP": 10, "SHADE": 10}
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_what_goes_back_is_seen_in_the_order(shop, db, order):
    await edit(shop, order, lines=[{"sku": "SHADE", "quantity": 0}], why="not needed")
    token = {"Order-Token": order["token"]}
    asked = (await shop.get(f"orders/{order['id']}", headers=token)).json()["refunds"]
    assert [(one["amount"]["amount"], one["why"], one["done_at"]) for one in asked] == [(450, "", None)]
    seen = (await shop.get(f"admin/orders/{order['number']}", headers=staff())).json()["refunds"]
    assert [one["why"] for one in seen] == ["not needed"]
    await work_off(db)
    done = (await shop.get(f"orders/{order['id']}", headers=token)).json()["refunds"]
    assert done[0]["done_at"] is not None


async def test_where_an_order_goes_can_change_within_its_country(shop, db, order):
    moved = ADDRESS | {"line1": "2 Side Street"}
    changed = (await edit(shop, order, address=moved, email="b@example.com")).json()
    assert (changed["addresses"]["shipping"]["line1"], changed["email"]) == ("2 Side Street", "b@example.com")
    assert changed["total"] == order["total"]
    abroad = await edit(shop, order, address=ADDRESS | {"country": "FR"})
    assert (abroad.status_code, abroad.json()["code"]) == (409, "cannot_edit")


@pytest.mark.parametrize("lines", [
    [{"sku": "LAMP", "quantity": 4}], [{"sku": "LAMP", "quantity": 3}], [{"sku": "OTHER", "quantity": 1}],
    [{"sku": "OTHER", "quantity": 0}], [{"sku": "LAMP", "quantity": 0}, {"sku": "SHADE", "quantity": 0}],
])  # fmt: skip
async def test_nothing_changes_when_more_or_nothing_would_be_left(shop, db, fake, order, lines):
    answer = await edit(shop, order, lines=lines, email="b@example.com")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_edit"), answer.text
    seen = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert (seen.json()["email"], len(seen.json()["history"])) == ("a@example.com", 2)
    assert fake.taken(order["id"]) == 3640


async def test_what_was_sent_or_is_being_paid_stays_as_it_is(shop, db, order):
    async with db.tx() as tx:
        lamp = (await some_products(tx, new_product(sku="NEW")))[0]
    fresh = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    busy = await edit(shop, fresh, lines=[{"sku": "NEW", "quantity": 1}])
    assert (busy.status_code, busy.json()["code"]) == (409, "cannot_edit")
    await shop.post(f"admin/orders/{order['number']}/shipments", json={"lines": [{"sku": "LAMP", "quantity": 1}]},
                    headers=staff())  # fmt: skip
    sent = await edit(shop, order, email="b@example.com")
    assert (sent.status_code, sent.json()["code"]) == (409, "cannot_edit")
    assert (await edit(shop, {"number": "NOBODY"}, email="b@example.com")).status_code == 404
    assert (await shop.patch(f"admin/orders/{order['number']}", json={"email": "b@example.com"})).status_code == 401


@given(st.lists(st.integers(0, 10_000), max_size=5), st.data())
def test_offers_give_up_what_the_lines_do(amounts, data):
    """Together exactly so much, none of them below nothing."""
    whole = sum(amounts)
    off = data.draw(st.integers(0, whole))
    left = _offers([Discount("x", Money(amount, "USD")) for amount in amounts], whole, off)
    assert sum(one.amount.amount for one in left) == whole - off
    assert all(one.amount.amount >= 0 for one in left)


async def invoice(shop, order, form: str, **headers: str):
    return await shop.get(f"orders/{order['id']}/invoice.{form}", headers=headers or {"Order-Token": order["token"]})


async def sent(shop, order) -> None:
    await shop.post(f"admin/orders/{order['number']}/shipments", json={}, headers=staff())


async def test_an_invoice_is_written_once_and_stays(shop, db, order):
    await shop.get(f"admin/orders/{order['number']}/invoice.pdf", headers=staff())
    page = await invoice(shop, order, "html")
    assert page.status_code == 200, page.text
    assert page.headers["content-type"].startswith("text/html")
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers.get_list("content-security-policy") == [
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ]
    assert page.headers["cache-control"] == "private, no-store"
    for text in ("Lamp &lt;b&gt;", "Tax 20 % of 30.33 USD", "6.07 USD", "36.40 USD", order["number"], "-3.50 USD"):
        assert text in page.text, text
    refused = await edit(shop, order, lines=[{"sku": "LAMP", "quantity": 1}])
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_edit")
    await edit(shop, order, email="later@example.com")
    async with db.tx() as tx:
        order["token"] = await orders.tokens.give(tx, SEALS, (await orders.load(tx, order["id"]))[0], instead=False)
    assert (await invoice(shop, order, "html")).text == page.text
    paper = await invoice(shop, order, "pdf")
    assert (paper.status_code, paper.headers["content-type"]) == (200, "application/pdf")
    (sheet,) = PdfReader(io.BytesIO(paper.content)).pages
    text = sheet.extract_text()
    for part in ("Lamp <b>", "36.40 USD", order["number"], "a@example.com"):
        assert part in text, text
    same = await shop.get(f"admin/orders/{order['number']}/invoice.pdf", headers=staff())
    assert PdfReader(io.BytesIO(same.content)).pages[0].extract_text() == text


async def test_whose_invoice_it_is(shop, db, order):
    for form in ("html", "pdf"):
        foreign = await invoice(shop, order, form, **{"Order-Token": "guessed"})
        missing = await shop.get(f"orders/{uuid4()}/invoice.{form}", headers={"Order-Token": order["token"]})
        assert (foreign.status_code, missing.status_code, foreign.json()["code"]) == (404, 404, "order_not_found")
    async with db.read() as tx:
        assert await tx.rows(INVOICES) == []


async def test_there_is_no_invoice_for_what_was_not_paid(shop, db, order):
    await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    answer = await invoice(shop, order, "html")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_invoice")


async def test_invoices_are_numbered_without_a_gap_in_a_race(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        lamp = (await some_products(tx, new_product(stock=50)))[0]
    bought = [(await busy_shop.buy(await busy_shop.cart_with((lamp, 1)))).json() for _ in range(8)]

    async def one(order, *, fails: bool) -> None:
        async def work(tx):
            await orders.invoices.issue(tx, order["id"], SELLER, by_staff=True)
            if fails:
                raise KeyError

        try:
            await wide_db.transact(work)
        except KeyError:
            assert fails

    await asyncio.gather(*[one(order, fails=n % 2 == 0) for order in bought for n in range(3)])
    async with wide_db.read() as tx:
        found = await tx.rows(INVOICES)
        assert [nth for _, nth in found] == list(range(1, 9))
        assert await broken(tx) == {}


async def test_a_tax_that_is_added_is_shown_beside_the_goods(shop, db):
    async with db.tx() as tx:
        lamp = (await some_products(tx, new_product(price=1000)))[0]
        await pricing.set_rate(tx, pricing.TaxRate("US", pricing.STANDARD, 88_750, included=False))
    order = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    await work_off(db)
    await sent(shop, order)
    page = await invoice(shop, order, "html")
    for text in ("Tax 8.875 % of 20.00 USD", "added to the prices", "21.78 USD"):
        assert text in page.text, text


@given(st.integers(0, 100_000), st.integers(1, 999), st.data())
def test_parts_of_a_line_are_together_the_whole(paid, bought, data):
    units = data.draw(st.integers(0, bought))
    assert worth(paid, bought, 0, units) + worth(paid, bought, units, bought - units) == paid


async def test_edits_of_one_order_at_once_are_one_after_the_other(busy_shop, wide_db, fake):
    async with wide_db.tx() as tx:
        lamp = (await some_products(tx, new_product(sku="LAMP", price=1000, stock=50)))[0]
    order = (await busy_shop.buy(await busy_shop.cart_with((lamp, 9)))).json()
    await work_off(wide_db)
    wishes = [edit(busy_shop, order, lines=[{"sku": "LAMP", "quantity": n}]) for n in range(1, 9)]
    statuses = [answer.status_code for answer in await asyncio.gather(*wishes)]
    assert set(statuses) <= {200, 409}
    await work_off(wide_db)
    async with wide_db.read() as tx:
        kept, _ = await orders.load(tx, order["id"])
        assert await broken(tx) == {}
    assert kept.lines[0].quantity == 1
    assert fake.taken(order["id"]) == 1000
    assert await state(wide_db) == (49, {"paid": 1})


async def mixed(shop, db) -> dict[str, Any]:
    """A with its tax in the price, B with its tax on top, C free of charge; captured."""
    async with db.tx() as tx:
        made = await some_products(tx, *[new_product(sku=sku, price=price) for sku, price in
                                         (("A", 600), ("B", 1000), ("C", 0))])  # fmt: skip
        await pricing.set_rate(tx, pricing.TaxRate("US", pricing.STANDARD, 200_000, name="VAT"))
        await pricing.set_rate(tx, pricing.TaxRate("US", "added", 200_000, name="Levy", included=False))
    changed = await shop.patch(f"admin/products/{made[1]}", json={"tax_class": "added"}, headers=staff())
    assert changed.status_code == 200, changed.text
    order = (await shop.buy(await shop.cart_with(*[(one, 1) for one in made]))).json()
    assert (order["total"]["amount"], order["tax"]["amount"], order["tax_included"]["amount"]) == (1800, 300, 100)
    await work_off(db)
    return order


@pytest.mark.parametrize(("gone", "left"), [(["B"], 600), (["A"], 1200), (["A", "B"], 0), (["A", "C"], 1200)])
async def test_taxes_in_and_on_prices_in_one_order(shop, db, fake, gone, left):
    order = await mixed(shop, db)
    answer = await edit(shop, order, lines=[{"sku": sku, "quantity": 0} for sku in gone])
    assert (answer.status_code, answer.json()["total"]["amount"], answer.json()["status"]) == (200, left, "paid")
    await work_off(db)
    assert fake.taken(order["id"]) == left
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_what_comes_back_of_such_an_order_is_worth_what_was_paid(shop, db, fake):
    order = await mixed(shop, db)
    await shop.post(f"admin/orders/{order['number']}/shipments", json={}, headers=staff())
    token = {"Order-Token": order["token"]}
    wish = {"lines": [{"sku": "B", "quantity": 1}]}
    asked = (await shop.post(f"orders/{order['id']}/returns", json=wish, headers=token)).json()
    await shop.post(f"admin/returns/{asked['id']}/receive", json={}, headers=staff())
    await work_off(db)
    assert fake.taken(order["id"]) == 600
    page = (await invoice(shop, order, "html")).text
    for text in ("Tax 20 % of 5.00 USD, included in the prices", "Tax 20 % of 10.00 USD, added to the prices"):
        assert text in page, text


async def test_an_order_whose_gift_alone_is_left_is_still_sent(shop, db, fake):
    order = await mixed(shop, db)
    changed = await edit(shop, order, lines=[{"sku": "A", "quantity": 0}, {"sku": "B", "quantity": 0}])
    assert (changed.json()["status"], changed.json()["payment_status"]) == ("paid", "refunded")
    sent = await shop.post(f"admin/orders/{order['number']}/shipments", json={}, headers=staff())
    assert (sent.status_code, sent.json()["status"]) == (201, "shipped")
    await work_off(db)
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_an_edit_says_something_and_says_it_once(shop, db, order):
    twice = await edit(shop, order, lines=[{"sku": "LAMP", "quantity": 1}, {"sku": "LAMP", "quantity": 2}])
    assert (twice.status_code, twice.json()["code"]) == (409, "cannot_edit")
    empty = await edit(shop, order)
    assert (empty.status_code, empty.json()["code"]) == (409, "cannot_edit")
    assert (await edit(shop, order, address=ADDRESS | {"region": ""})).status_code == 200


async def test_a_buyer_has_no_invoice_before_something_was_sent_and_staff_have(shop, db, order):
    for form in ("html", "pdf"):
        early = await invoice(shop, order, form)
        assert (early.status_code, early.json()["code"]) == (409, "no_invoice")
    assert (await edit(shop, order, lines=[{"sku": "LAMP", "quantity": 2}])).status_code == 200
    assert (await shop.get(f"admin/orders/{order['number']}/invoice.pdf", headers=staff())).status_code == 200
    assert (await invoice(shop, order, "html")).status_code == 200


async def test_money_that_went_back_is_not_invoiced(shop, db, order):
    await db.transact(lambda tx: checkout.ask_refund(tx, UUID(order["id"]), None, who="staff", why="sorry"))
    answer = await shop.get(f"admin/orders/{order['number']}/invoice.pdf", headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "no_invoice")


async def test_a_packed_order_is_not_cancelled_by_its_buyer(shop, db, order):
    packed = await shop.post(f"admin/orders/{order['number']}/pack", headers=staff())
    assert (packed.status_code, packed.json()["status"]) == (200, "packed")
    again = await shop.post(f"admin/orders/{order['number']}/pack", headers=staff())
    gone = await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    assert (again.json()["code"], gone.json()["code"]) == ("order_cannot_move", "order_cannot_move")
    assert (await edit(shop, order, email="b@example.com")).status_code == 200
    by_staff = await shop.post(f"admin/orders/{order['number']}/cancel", json={"why": "lost"}, headers=staff())
    assert by_staff.json()["status"] == "cancelled"
    await work_off(db)
    async with db.read() as tx:
        assert await broken(tx) == {}
