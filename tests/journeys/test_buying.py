"""Stories of buying, told over HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.client import ADDRESS
from tests.making import a_product, moved_by, new_product, some_products
from tfmshop.commerce import checkout, inventory, orders, search
from tfmshop.commerce.payments import Providers
from tfmshop.platform.db import Query, broken
from tfmshop.platform.jobs import HANDLERS

STOCK = Query("test.stock", "SELECT sum(available)::int FROM inventory.stock")
ORDERS = Query("test.orders", "SELECT status, count(*)::int FROM orders.placed GROUP BY status ORDER BY status")
JOBS = Query("test.jobs", "DELETE FROM jobs.pgqueuer RETURNING entrypoint, payload")
AGE_LEASES = Query("test.age_leases", "UPDATE platform.idempotency_key SET leased_until = now() - interval '1 s'")
RAISE_PRICES = Query("test.raise_prices", "UPDATE catalog.variant SET price = price + 1")

PLACING = ["platform.begin_key", "cart.close", "orders.place", "inventory.take", "orders.settle"]


async def state(db) -> tuple[int, dict[str, int]]:
    """Units on the shelf, and orders by status; every truth must hold."""
    async with db.read() as tx:
        assert await broken(tx) == {}
        return await tx.value(STOCK), dict(map(tuple, await tx.rows(ORDERS)))


async def work_off(db) -> list[str]:
    """Run the waiting jobs as the job runner would; their names."""
    async with db.read() as tx:
        waiting = [tuple(row) for row in await tx.rows(JOBS)]
    for name, payload in waiting:
        await HANDLERS[name](db, payload)
    return [name for name, _ in waiting]


async def test_a_guest_buys_a_lamp_in_five_statements(shop, db, queries):
    async with db.tx() as tx:
        lamp = await a_product(tx, title="Lamp", price=1999, stock=10)
    cart = await shop.cart_with((lamp, 2))
    queries.clear()
    answer = await shop.buy(cart, expected_total={"amount": 3998, "currency": "USD"})
    assert queries.names == PLACING
    order = answer.json()
    assert answer.status_code == 201
    assert (order["status"], order["payment_status"], order["total"]["amount"]) == ("paid", "authorized", 3998)
    assert [step["status"] for step in order["history"]] == ["placed", "paid"]
    assert order["addresses"]["shipping"]["city"] == "Portland"
    token = {"Order-Token": order["token"]}
    seen = (await shop.get(f"orders/{order['id']}", headers=token)).json()
    assert seen == {key: value for key, value in order.items() if key != "token"}
    assert (await shop.get(f"orders/number/{order['number']}", headers=token)).json() == seen
    for headers in ({}, {"Order-Token": cart["token"]}, {"Order-Token": ""}, await shop.sign_in("x@example.com")):
        for path in (f"orders/{order['id']}", f"orders/number/{order['number']}", f"orders/{uuid4()}"):
            foreign = await shop.get(path, headers=headers)
            assert (foreign.status_code, foreign.json()["code"]) == (404, "order_not_found")
    assert await state(db) == (8, {"paid": 1})
    assert sorted(await work_off(db)) == ["accounts.registered", "news.spread", "orders.paid"]
    assert (await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})).json()["status"] == "ordered"


async def test_the_last_one_leaves_the_lists_and_costs_no_more(shop, db, queries):
    async with db.tx() as tx:
        lamp = await a_product(tx, stock=1)
    cart = await shop.cart_with((lamp, 1))
    queries.clear()
    assert (await shop.buy(cart)).status_code == 201
    assert queries.names == PLACING
    assert sorted(await work_off(db)) == ["inventory.stock_changed", "news.spread", "orders.paid"]
    assert (await shop.get("products?in_stock=true")).json()["items"] == []
    assert (await shop.get(f"products/{lamp}")).json()["in_stock"] is False
    async with db.tx() as tx:
        sku = (await inventory.levels.listed(tx, 0, 1))[0].sku
        await inventory.set_level(tx, sku, 3)
    assert len((await shop.get("products?in_stock=true")).json()["items"]) == 1


async def test_sales_count_once_towards_popularity(shop, db):
    async with db.tx() as tx:
        dull, hit = await some_products(tx, new_product(title="Dull"), new_product(title="Hit"))
    await shop.buy(await shop.cart_with((hit, 3)))
    async with db.read() as tx:
        waiting = [tuple(row) for row in await tx.rows(JOBS)]
    for name, payload in waiting * 2:
        await HANDLERS[name](db, payload)
    async with db.read() as tx:
        listed = await search.find(tx, search.Wanted(sort="popular"))
        popularity = await tx.rows(Query("test.popularity", "SELECT popularity FROM catalog.product ORDER BY title"))
    assert [item.title for item in listed.items] == ["Hit", "Dull"]
    assert [row[0] for row in popularity] == [0, 3]
    assert dull != hit


async def test_two_people_want_the_last_one(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, stock=1)
    carts = [await busy_shop.cart_with((lamp, 1)) for _ in range(2)]
    answers = await asyncio.gather(*[busy_shop.buy(cart) for cart in carts])
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["free"]) == ("out_of_stock", 0)
    assert await state(wide_db) == (0, {"paid": 1})


async def test_sixty_people_want_the_last_twenty_of_three(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        lamps = await some_products(tx, *[new_product(stock=20) for _ in range(3)])
    carts = [
        await busy_shop.cart_with(*[(lamp, 1) for lamp in (lamps if n % 2 else reversed(lamps))]) for n in range(60)
    ]
    answers = await asyncio.gather(*[busy_shop.buy(cart) for cart in carts])
    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    assert sum(answer.status_code == 201 for answer in answers) == 20
    assert await state(wide_db) == (0, {"paid": 20})
    assert wide_db.retried == 0


async def test_the_same_key_twice_gives_the_same_bytes(shop, db, fake):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    first = await shop.buy(cart, key="once")
    again = await shop.buy(cart, key="once")
    assert (again.status_code, again.content) == (201, first.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    other_body = await shop.buy(cart, key="once", email="b@example.com")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    new_key = await shop.buy(cart, key="twice")
    assert (new_key.status_code, new_key.json()["code"]) == (409, "cart_ordered")
    assert len(fake.calls) == 1
    assert await state(db) == (9, {"paid": 1})


async def test_a_key_belongs_to_its_caller(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    mine, other = await shop.cart_with((lamp, 1)), await shop.cart_with((lamp, 1))
    first, second = await shop.buy(mine, key="same"), await shop.buy(other, key="same")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    stolen = await shop.buy({**mine, "token": "another"}, key="same")
    assert (stolen.status_code, stolen.json()["code"]) == (404, "cart_not_found")


async def test_ten_sends_of_each_key_at_once_make_one_order_each(busy_shop, wide_db, fake):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, stock=100)
    carts = [await busy_shop.cart_with((lamp, 1)) for _ in range(12)]
    answers = await asyncio.gather(*[busy_shop.buy(cart, key=cart["id"]) for cart in carts for _ in range(10)])
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    bodies = {answer.content for answer in answers if answer.status_code == 201}
    assert len(bodies) == len(fake.calls) == 12
    replays = await asyncio.gather(*[busy_shop.buy(cart, key=cart["id"]) for cart in carts])
    assert {answer.content for answer in replays} == bodies
    assert await state(wide_db) == (88, {"paid": 12})


async def test_a_declined_payment_gives_everything_back(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    declined = await shop.buy(cart, key="no", token="decline")
    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    assert (await shop.buy(cart, key="no", token="decline")).content == declined.content
    assert await state(db) == (10, {"cancelled": 1})
    assert (await shop.buy(cart, key="yes")).status_code == 201
    assert await state(db) == (9, {"cancelled": 1, "paid": 1})


@pytest.fixture
def settings(settings):
    """Payments give up soon."""
    return settings.replace(PAYMENT_TIMEOUT=200)


async def test_a_silent_provider_leaves_no_doubt_for_long(shop, db, fake):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    unknown = await shop.buy(cart, key="k", token="timeout")
    assert (unknown.status_code, unknown.json()["code"]) == (503, "payment_unknown")
    assert unknown.headers["retry-after"] == "1"
    assert await state(db) == (9, {"placed": 1})
    assert (await shop.buy(cart, key="k", token="timeout")).status_code == 503
    swept = await checkout.sweep(db, Providers(fake=fake), timedelta(0))
    assert (swept.settled, swept.released) == (0, 1)
    assert await state(db) == (10, {"cancelled": 1})
    late = await shop.buy(cart, key="k", token="timeout")
    assert (late.status_code, late.json()["code"]) == (409, "checkout_expired")
    assert (await shop.buy(cart, key="new")).status_code == 201


async def die_after_payment(shop, cart, monkeypatch) -> None:
    """Buy with key k, and end between the payment and the statement that settles the order."""

    async def crash(*_, **__):
        raise RuntimeError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(orders.paying, "settle", crash)
        assert (await shop.buy(cart, key="k")).status_code == 500


async def test_a_crash_after_the_payment_is_made_good(shop, db, fake, monkeypatch):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    await die_after_payment(shop, cart, monkeypatch)
    waits = await shop.buy(cart, key="k")
    assert (waits.status_code, waits.json()["code"], waits.headers["retry-after"]) == (409, "request_in_progress", "1")
    async with db.read() as tx:
        await tx.execute(AGE_LEASES)
    taken_up = await shop.buy(cart, key="k")
    assert taken_up.status_code == 201
    assert (await shop.buy(cart, key="k")).content == taken_up.content
    token = {"Order-Token": taken_up.json()["token"]}
    assert (await shop.get(f"orders/{taken_up.json()['id']}", headers=token)).status_code == 200
    assert len(set(fake.calls)) == 1
    assert await state(db) == (9, {"paid": 1})


async def test_the_sweeper_settles_what_was_paid(shop, db, fake, monkeypatch):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    await die_after_payment(shop, cart, monkeypatch)
    swept = await checkout.sweep(db, Providers(fake=fake), timedelta(0))
    assert (swept.settled, swept.released) == (1, 0)
    async with db.read() as tx:
        await tx.execute(AGE_LEASES)
    late = await shop.buy(cart, key="k")
    assert (late.status_code, late.json()["status"]) == (201, "paid")
    token = {"Order-Token": late.json()["token"]}
    assert (await shop.get(f"orders/{late.json()['id']}", headers=token)).status_code == 200
    assert (await shop.buy(cart, key="k")).content == late.content
    assert await state(db) == (9, {"paid": 1})


@pytest.mark.parametrize("let_go_first", [True, False])
async def test_money_that_comes_after_the_order_was_given_up_is_let_go(shop, db, fake, monkeypatch, let_go_first):
    """A company that heard that the payment was let go takes none; otherwise what it took is let go."""
    moved_by(fake=fake)
    async with db.tx() as tx:
        lamp = await a_product(tx)
    cart = await shop.cart_with((lamp, 1))
    authorize = fake.authorize

    async def late(payment, token):
        assert (await checkout.sweep(db, Providers(fake=fake), timedelta(0))).released == 1
        assert not let_go_first or "checkout.let_go" in await work_off(db)
        return await authorize(payment, token)

    with monkeypatch.context() as patch:
        patch.setattr(fake, "authorize", late)
        answer = await shop.buy(cart, key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, "checkout_expired")
    assert (fake.promised(fake.calls[0]) is None) == let_go_first
    assert "checkout.let_go" in await work_off(db) or let_go_first
    assert fake.promised(fake.calls[0]) is None
    assert await state(db) == (10, {"cancelled": 1})


async def test_one_bad_order_does_not_stop_the_sweeper(shop, db, fake):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    for key in ("a", "b"):
        await shop.buy(await shop.cart_with((lamp, 1)), key=key, token="timeout")
    async with db.tx() as tx:
        await tx.execute(Query("test.rename_provider", "UPDATE orders.placed SET payment_provider = 'gone' WHERE"
                         " placed_at = (SELECT min(placed_at) FROM orders.placed)"))  # fmt: skip
    swept = await checkout.sweep(db, Providers(fake=fake), timedelta(0))
    assert (swept.settled, swept.released, swept.put_off) == (0, 1, 1)
    assert await state(db) == (9, {"cancelled": 1, "placed": 1})


@pytest.mark.parametrize("change", ["add", "change", "remove"])
async def test_a_change_that_was_acknowledged_before_the_order_is_in_it(busy_shop, wide_db, change):
    async with wide_db.tx() as tx:
        lamp, vase = await some_products(tx, *[new_product(stock=1000) for _ in range(2)])

    async def race() -> tuple[int, int, set[tuple[str, int]]]:
        cart = await busy_shop.cart_with((lamp, 5))
        headers = {"Cart-Token": cart["token"]}
        path = f"carts/{cart['id']}/lines"
        line = (await busy_shop.get(f"carts/{cart['id']}", headers=headers)).json()["lines"][0]["id"]
        if change == "add":
            changing = busy_shop.post(path, json={"product_id": vase}, headers=headers)
        elif change == "change":
            changing = busy_shop.patch(f"{path}/{line}", json={"quantity": 1}, headers=headers)
        else:
            changing = busy_shop.delete(f"{path}/{line}", headers=headers)
        changed, bought = await asyncio.gather(changing, busy_shop.buy(cart))
        lines = bought.json().get("lines", [])
        return changed.status_code, bought.status_code, {(one["product_id"], one["quantity"]) for one in lines}

    after = {"add": {(lamp, 5), (vase, 1)}, "change": {(lamp, 1)}, "remove": set()}[change]
    both = 0
    for changed, bought, lines in [
        outcome for _ in range(5) for outcome in await asyncio.gather(*[race() for _ in range(8)])
    ]:
        if changed < 300:
            both += 1
            assert lines == after
            assert bought == (409 if change == "remove" else 201)
        else:
            assert (changed, bought, lines) == (409, 201, {(lamp, 5)})
    assert both > 0
    await state(wide_db)


async def test_adding_at_once_does_not_overfill_a_cart(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        products = await some_products(tx, *[new_product(stock=5000) for _ in range(106)])
    cart = await busy_shop.cart_with(*[(product, 1) for product in products[:97]])
    headers = {"Cart-Token": cart["token"]}
    path = f"carts/{cart['id']}/lines"
    answers = await asyncio.gather(
        *[busy_shop.post(path, json={"product_id": product}, headers=headers) for product in products[97:]]
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 6
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_lines"}
    more = await asyncio.gather(
        *[busy_shop.post(path, json={"product_id": products[0], "quantity": 200}, headers=headers) for _ in range(6)]
    )
    assert sorted(answer.status_code for answer in more) == [201] * 4 + [409] * 2
    assert {answer.json()["code"] for answer in more if answer.status_code == 409} == {"quantity_too_large"}


async def test_a_provider_that_answers_twice_charges_once(shop, db, fake):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    assert (await shop.buy(await shop.cart_with((lamp, 1)), token="twice")).status_code == 201
    assert (len(fake.calls), len(set(fake.calls))) == (2, 1)
    assert await state(db) == (9, {"paid": 1})


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"expected_total": 1}, 409, "price_changed"),
        ({"expected_total": {"amount": 1999, "currency": "EUR"}}, 409, "price_changed"),
        ({"payment": {"provider": "nobody", "token": "ok"}}, 409, "payment_provider_unknown"),
        ({"payment": {"provider": "fake", "token": "nonsense"}}, 409, "payment_token_unknown"),
        ({"payment": {"provider": "fake"}}, 422, "invalid_request"),
        ({"email": None}, 409, "checkout_incomplete"),
        ({"email": "nobody"}, 422, "invalid_request"),
        ({"address": {"name": "A", "line1": "B", "city": "C", "country": "Germany"}}, 422, "invalid_request"),
        ({"gift": True}, 422, "invalid_request"),
    ],
)
async def test_refused_checkouts_change_nothing(shop, db, fake, change, status, code):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1999)
    cart = await shop.cart_with((lamp, 1))
    answer = await shop.buy(cart, key="k", **change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await state(db) == (10, {})
    assert fake.calls == []
    assert (await shop.buy(cart, key="k", expected_total=1999)).status_code == 201


async def test_empty_foreign_and_keyless_checkouts(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    empty = await shop.buy(await shop.cart_with())
    assert (empty.status_code, empty.json()["code"]) == (409, "cart_empty")
    cart = await shop.cart_with((lamp, 1))
    foreign = await shop.buy({**cart, "token": "guess"})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "cart_not_found")
    body = {"payment": {"provider": "fake", "token": "ok"}}
    keyless = await shop.post(f"carts/{cart['id']}/checkout", json=body, headers={"Cart-Token": cart["token"]})
    assert (keyless.status_code, "Idempotency-Key" in keyless.text) == (422, True)
    async with db.tx() as tx:
        await tx.execute(Query("test.archive_all", "UPDATE catalog.product SET status = 'archived'"))
    gone = await shop.buy(cart)
    assert (gone.status_code, gone.json()["code"]) == (409, "product_unavailable")


async def test_a_customer_buys_and_finds_the_order(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    me = await shop.sign_in("me@example.com")
    ordered = []
    for number in range(3):
        cart = (await shop.get("carts/mine", headers=me)).json()
        await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp}, headers=me)
        body = {"payment": {"provider": "fake", "token": "ok"}, "email": "me@example.com",
                "address": {"name": "A", "line1": "B", "city": "C", "country": "DE"}}  # fmt: skip
        key = {"Idempotency-Key": f"key {number}"}
        answer = await shop.post(f"carts/{cart['id']}/checkout", json=body, headers=me | key)
        assert answer.status_code == 201, answer.text
        assert "token" not in answer.json()
        ordered.insert(0, answer.json()["id"])
    listed = (await shop.get("orders?limit=2", headers=me)).json()
    rest = (await shop.get(f"orders?limit=2&cursor={listed['next_cursor']}", headers=me)).json()
    assert [order["id"] for order in listed["items"] + rest["items"]] == ordered
    assert rest["next_cursor"] is None
    assert len((await shop.get("orders?status=paid", headers=me)).json()["items"]) == 3
    assert (await shop.get("orders?status=shipped", headers=me)).json()["items"] == []
    assert (await shop.get("orders?status=lost", headers=me)).status_code == 422
    assert (await shop.get("orders")).json()["code"] == "sign_in_required"
    assert (await shop.get("orders?cursor=abc", headers=me)).json()["code"] == "bad_cursor"


async def test_a_customer_need_not_say_their_address_again(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx)
    me = await shop.sign_in("ada@example.com")
    cart = (await shop.get("carts/mine", headers=me)).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1}, headers=me)
    body = {"payment": {"provider": "fake", "token": "ok"}, "address": ADDRESS}
    answer = await shop.post(f"carts/{cart['id']}/checkout", json=body, headers=me | {"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["email"]) == (201, "ada@example.com"), answer.text
