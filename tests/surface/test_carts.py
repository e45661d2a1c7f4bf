"""Carts over HTTP: live prices, ownership, and every refusal."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.conftest import open_client
from tests.making import a_product
from tfmshop.commerce import inventory
from tfmshop.platform import clock
from tfmshop.platform.db import Query

RAISE_PRICE = Query("test.raise_price", "UPDATE catalog.variant SET price = price + 100")
ARCHIVE = Query("test.archive", "UPDATE catalog.product SET status = 'archived'")
EMPTY_LAMPS = Query(
    "test.empty_lamps",
    """
UPDATE inventory.stock AS s SET available = 0 FROM catalog.sellable AS v
WHERE v.variant_id = s.variant_id AND v.title = 'Lamp'""",
)
EMPTY_STOCK = Query("test.empty_stock", "UPDATE inventory.stock SET available = 0")


@pytest.fixture
async def lamp(db) -> str:
    async with db.tx() as tx:
        return await a_product(tx, title="Lamp", price=1999, stock=5)


async def test_budgets(shop, lamp, queries):
    cart = (await shop.post("carts")).json()
    assert queries.names == ["cart.create", "cart.view"]
    headers = {"Cart-Token": cart["token"]}
    queries.clear()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp}, headers=headers)
    assert queries.names == ["cart.add_line", "cart.view"]
    queries.clear()
    await shop.get(f"carts/{cart['id']}", headers=headers)
    assert queries.names == ["cart.view"]


async def test_a_cart_adds_up_and_shows_its_token_once(shop, lamp):
    cart = await shop.cart_with((lamp, 2), (lamp, 1))
    seen = await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})
    body = seen.json()
    assert "token" not in body
    assert [(line["quantity"], line["total"]["amount"]) for line in body["lines"]] == [(3, 5997)]
    assert body["total"] == {"amount": 5997, "currency": "USD"}
    assert body["warnings"] == []
    assert seen.headers["cache-control"] == "no-store"


async def test_lines_change_and_go(shop, lamp):
    cart = await shop.cart_with((lamp, 1))
    headers = {"Cart-Token": cart["token"]}
    line = (await shop.get(f"carts/{cart['id']}", headers=headers)).json()["lines"][0]["id"]
    changed = await shop.patch(f"carts/{cart['id']}/lines/{line}", json={"quantity": 4}, headers=headers)
    assert changed.json()["total"]["amount"] == 7996
    too_many = await shop.patch(f"carts/{cart['id']}/lines/{line}", json={"quantity": 6}, headers=headers)
    assert (too_many.status_code, too_many.json()["code"], too_many.json()["free"]) == (409, "out_of_stock", 5)
    gone = await shop.delete(f"carts/{cart['id']}/lines/{line}", headers=headers)
    assert (gone.status_code, gone.json()["lines"]) == (200, [])
    again = await shop.delete(f"carts/{cart['id']}/lines/{line}", headers=headers)
    assert (again.status_code, again.json()["code"]) == (404, "line_not_found")


async def test_units_are_held_for_one_cart_and_given_back(shop, lamp):
    mine, other = await shop.cart_with((lamp, 4)), await shop.cart_with((lamp, 2))
    headers = {"Cart-Token": mine["token"]}
    held = await shop.post(f"carts/{mine['id']}/reservation", headers=headers)
    assert (held.status_code, held.json()["warnings"]) == (200, [])
    assert held.json()["reserved_until"] > f"{clock.now():%Y-%m-%dT%H:%M:%S}"
    refused = await shop.post(f"carts/{other['id']}/reservation", headers={"Cart-Token": other["token"]})
    assert (refused.status_code, refused.json()["code"], refused.json()["free"]) == (409, "out_of_stock", 1)
    assert (await shop.buy(other)).json()["code"] == "out_of_stock"
    seen = (await shop.get(f"carts/{other['id']}", headers={"Cart-Token": other["token"]})).json()
    assert [remark["code"] for remark in seen["warnings"]] == ["out_of_stock"]
    foreign = await shop.delete(f"carts/{mine['id']}/reservation", headers={"Cart-Token": other["token"]})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "cart_not_found")
    let_go = await shop.delete(f"carts/{mine['id']}/reservation", headers=headers)
    assert "reserved_until" not in let_go.json()
    assert (await shop.buy(other)).status_code == 201


async def test_what_is_held_is_what_is_ordered(shop, lamp):
    cart = await shop.cart_with((lamp, 5))
    await shop.post(f"carts/{cart['id']}/reservation", headers={"Cart-Token": cart["token"]})
    assert (await shop.get(f"products/{lamp}")).json()["in_stock"] is False
    assert (await shop.buy(cart)).status_code == 201
    again = await shop.post(f"carts/{cart['id']}/reservation", headers={"Cart-Token": cart["token"]})
    assert (again.status_code, again.json()["code"]) == (409, "cart_ordered")


async def test_a_shop_may_hold_units_as_soon_as_they_are_in_a_cart(settings, db, fake, lamp):
    async with open_client(settings.replace(RESERVE_AT="cart"), db, fake) as shop:
        cart = await shop.cart_with((lamp, 4))
        headers = {"Cart-Token": cart["token"]}
        line = (await shop.get(f"carts/{cart['id']}", headers=headers)).json()["lines"][0]
        assert line["available"] == 5
        other = (await shop.post("carts")).json()
        add = {"product_id": lamp, "quantity": 2}
        refused = await shop.post(f"carts/{other['id']}/lines", json=add, headers={"Cart-Token": other["token"]})
        assert (refused.json()["code"], refused.json()["free"]) == ("out_of_stock", 1)
        await shop.patch(f"carts/{cart['id']}/lines/{line['id']}", json={"quantity": 3}, headers=headers)
        added = await shop.post(f"carts/{other['id']}/lines", json=add, headers={"Cart-Token": other["token"]})
        assert (added.status_code, added.json()["lines"][0]["available"]) == (201, 2)
        await shop.delete(f"carts/{cart['id']}/lines", headers=headers)
        assert (await shop.get(f"carts/{other['id']}", headers={"Cart-Token": other["token"]})).json()["lines"][0][
            "available"
        ] == 5


async def test_everything_out_of_a_cart(shop, lamp):
    cart = await shop.cart_with((lamp, 1))
    emptied = await shop.delete(f"carts/{cart['id']}/lines", headers={"Cart-Token": cart["token"]})
    assert emptied.json()["lines"] == []


async def test_email_and_address(shop, lamp):
    cart = await shop.cart_with((lamp, 1))
    headers = {"Cart-Token": cart["token"]}
    await shop.put(f"carts/{cart['id']}/email", json={"email": "a@example.com"}, headers=headers)
    address = {"name": "A", "line1": "1 Road", "city": "Lyon", "country": "FR"}
    body = (await shop.put(f"carts/{cart['id']}/address", json=address, headers=headers)).json()
    assert (body["email"], body["address"]) == ("a@example.com", address)


async def test_warnings_tell_what_changed(shop, db, lamp):
    cart = await shop.cart_with((lamp, 2))
    headers = {"Cart-Token": cart["token"]}
    async with db.tx() as tx:
        await tx.execute(RAISE_PRICE)
        await tx.execute(EMPTY_STOCK)
    body = (await shop.get(f"carts/{cart['id']}", headers=headers)).json()
    assert [warning["code"] for warning in body["warnings"]] == ["price_changed", "out_of_stock"]
    assert body["total"]["amount"] == 2 * 2099
    async with db.tx() as tx:
        await tx.execute(ARCHIVE)
    body = (await shop.get(f"carts/{cart['id']}", headers=headers)).json()
    assert ([warning["code"] for warning in body["warnings"]], body["total"]["amount"]) == (["unavailable"], 0)


async def test_a_foreign_cart_looks_like_none(shop, lamp):
    mine, other = await shop.cart_with((lamp, 1)), await shop.cart_with((lamp, 1))
    line = (await shop.get(f"carts/{mine['id']}", headers={"Cart-Token": mine["token"]})).json()["lines"][0]["id"]
    somebody = await shop.sign_in("somebody@example.com")
    for headers in ({}, {"Cart-Token": other["token"]}, {"Cart-Token": ""}, somebody):
        missing = await shop.get(f"carts/{uuid4()}", headers=headers)
        attempts = [
            await shop.get(f"carts/{mine['id']}", headers=headers),
            await shop.post(f"carts/{mine['id']}/lines", json={"product_id": lamp}, headers=headers),
            await shop.patch(f"carts/{mine['id']}/lines/{line}", json={"quantity": 2}, headers=headers),
            await shop.delete(f"carts/{mine['id']}/lines/{line}", headers=headers),
            await shop.delete(f"carts/{mine['id']}/lines", headers=headers),
            await shop.put(f"carts/{mine['id']}/email", json={"email": "x@example.com"}, headers=headers),
        ]
        for answer in attempts:
            assert (answer.status_code, answer.json()["code"]) == (404, "cart_not_found")
            assert answer.json().keys() == missing.json().keys()
    kept = (await shop.get(f"carts/{mine['id']}", headers={"Cart-Token": mine["token"]})).json()
    assert (kept["lines"][0]["quantity"], kept["email"]) == (1, None)


async def test_a_line_of_another_cart_is_not_found(shop, lamp):
    mine, other = await shop.cart_with((lamp, 1)), await shop.cart_with((lamp, 1))
    line = (await shop.get(f"carts/{mine['id']}", headers={"Cart-Token": mine["token"]})).json()["lines"][0]["id"]
    answer = await shop.patch(
        f"carts/{other['id']}/lines/{line}", json={"quantity": 3}, headers={"Cart-Token": other["token"]}
    )
    assert answer.json()["code"] == "line_not_found"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"product_id": "018f0000-0000-7000-8000-000000000000", "quantity": 1, "price": 1}, "price"),
        ({"product_id": "not an id"}, "product_id"),
        ({"product_id": "018f0000-0000-7000-8000-000000000000", "quantity": 0}, "quantity"),
        ({"product_id": "018f0000-0000-7000-8000-000000000000", "quantity": "2"}, "quantity"),
        ({"product_id": "018f0000-0000-7000-8000-000000000000", "quantity": 1.5}, "quantity"),
        ({"quantity": 1}, "variant_id"),
    ],
)
async def test_wrong_fields_are_named(shop, body, field):
    cart = (await shop.post("carts")).json()
    answer = await shop.post(f"carts/{cart['id']}/lines", json=body, headers={"Cart-Token": cart["token"]})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert field in str(problem["errors"])


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_request"),
        (b"", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'{"product_id": "\\u0000"}', 422, "invalid_text"),
        (b"\xff\xfe", 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
        (b'{"quantity":' + b"9" * 5000 + b"}", 422, "invalid_request"),
        (b" " * (1 << 20) + b"{}", 413, "body_too_large"),
    ],
)
async def test_broken_bodies(shop, content, status, code):
    cart = (await shop.post("carts")).json()
    headers = {"Cart-Token": cart["token"], "Content-Type": "application/json"}
    answer = await shop.post(f"carts/{cart['id']}/lines", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await shop.get(f"carts/{cart['id']}", headers=headers)).json()["lines"] == []


async def test_unknown_things_and_bounds(shop, db):
    cart = (await shop.post("carts")).json()
    headers = {"Cart-Token": cart["token"]}
    unknown = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": str(uuid4())}, headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "product_not_found")
    async with db.tx() as tx:
        many = await a_product(tx, stock=5000)
        foreign = await a_product(tx, currency="EUR")
    answer = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": many, "quantity": 999}, headers=headers)
    assert answer.status_code == 201
    answer = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": many, "quantity": 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "quantity_too_large")
    answer = await shop.post(f"carts/{cart['id']}/lines", json={"product_id": foreign}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_currency")


async def test_a_cart_holds_a_hundred_lines(shop, db):
    from tests.making import new_product, some_products

    async with db.tx() as tx:
        products = await some_products(tx, *[new_product() for _ in range(101)])
    cart = await shop.cart_with(*[(product, 1) for product in products[:100]])
    answer = await shop.post(
        f"carts/{cart['id']}/lines", json={"product_id": products[100]}, headers={"Cart-Token": cart["token"]}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_lines")


async def test_a_customer_has_one_cart(shop, lamp):
    assert (await shop.get("carts/mine")).json()["code"] == "sign_in_required"
    me = await shop.sign_in("one@example.com")
    first = (await shop.get("carts/mine", headers=me)).json()
    await shop.post(f"carts/{first['id']}/lines", json={"product_id": lamp}, headers=me)
    again = (await shop.get("carts/mine", headers=me)).json()
    assert (again["id"], len(again["lines"])) == (first["id"], 1)


async def test_a_guest_who_signs_in_brings_the_cart_along(shop, db, lamp):
    async with db.tx() as tx:
        table = await a_product(tx, title="Table", stock=5)
    me = await shop.sign_in("one@example.com")
    mine = (await shop.get("carts/mine", headers=me)).json()
    await shop.post(f"carts/{mine['id']}/lines", json={"product_id": lamp, "quantity": 2}, headers=me)
    guest = await shop.cart_with((lamp, 1), (table, 1))
    token = {"Cart-Token": guest["token"]}
    await shop.post(f"carts/{guest['id']}/reservation", headers=token)

    async def merge(**headers: str):
        return await shop.post("carts/mine/merge", json={"cart_id": guest["id"]}, headers=headers)

    assert (await merge(**token)).json()["code"] == "sign_in_required"
    foreign = await merge(**me, **{"Cart-Token": "x"})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "cart_not_found")
    merged = await merge(**me, **token)
    assert (merged.status_code, merged.json()["id"]) == (200, mine["id"]), merged.text
    assert sorted((line["title"], line["quantity"], line["available"]) for line in merged.json()["lines"]) == [
        ("Lamp", 3, 5), ("Table", 1, 5),
    ]  # fmt: skip
    assert (await shop.get(f"carts/{guest['id']}", headers=token)).status_code == 404
    assert (await merge(**me, **token)).json()["code"] == "cart_not_found"


async def test_a_cart_that_cannot_be_held_whole_can_still_be_made_smaller(settings, db, fake, lamp):
    """Others took what its hold had let go: every change but adding goes on, nothing is held, the warnings tell."""
    async with open_client(settings.replace(RESERVE_AT="cart"), db, fake) as shop:
        async with db.tx() as tx:
            lid = await a_product(tx, title="Lid", price=500, stock=5)
        cart = await shop.cart_with((lamp, 4), (lid, 2))
        headers, path = {"Cart-Token": cart["token"]}, f"carts/{cart['id']}"
        async with db.tx() as tx:
            await inventory.release(tx, UUID(cart["id"]))
            await tx.execute(EMPTY_LAMPS)
        lines = {line["title"]: line["id"] for line in (await shop.get(path, headers=headers)).json()["lines"]}
        more = await shop.post(f"{path}/lines", json={"product_id": lid, "quantity": 1}, headers=headers)
        assert (more.status_code, more.json()["code"]) == (409, "out_of_stock")
        less = await shop.patch(f"{path}/lines/{lines['Lid']}", json={"quantity": 1}, headers=headers)
        assert less.status_code == 200, less.text
        assert "reserved_until" not in less.json()
        assert [one["code"] for one in less.json()["warnings"]] == ["out_of_stock"]
        gone = await shop.delete(f"{path}/lines/{lines['Lamp']}", headers=headers)
        assert (gone.status_code, gone.json()["warnings"]) == (200, [])
        assert gone.json()["reserved_until"]


async def test_an_empty_cart_takes_another_currency_and_a_full_one_keeps_its_own(shop, lamp):
    who = await shop.sign_in("ada@example.com")
    cart = (await shop.get("carts/mine", headers=who)).json()
    assert cart["currency"] == "USD"
    assert (await shop.get("carts/mine?currency=EUR", headers=who)).json()["currency"] == "EUR"
    assert (await shop.get("carts/mine", headers=who)).json()["currency"] == "EUR"
    assert (await shop.get("carts/mine?currency=USD", headers=who)).json()["currency"] == "USD"
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp}, headers=who)
    kept = (await shop.get("carts/mine?currency=EUR", headers=who)).json()
    assert (kept["id"], kept["currency"], len(kept["lines"])) == (cart["id"], "USD", 1)
