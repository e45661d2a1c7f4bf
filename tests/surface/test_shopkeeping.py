"""What staff do with products, stock and offers over HTTP, one at a time and many at once."""

from __future__ import annotations

import asyncio

from tests.making import a_product, moved_by, take_money
from tests.surface.test_backoffice import staff
from tfmshop.commerce import orders
from tfmshop.platform.db import broken
from tfmshop.platform.errors import DatabaseUnavailable
from tfmshop.surface.http.backoffice.orders import STEPS

LAMP = {"sku": "LAMP-1", "title": "Desk lamp", "price": 4900, "category": ["Home", "Lamps"], "brand": "Lumo",
        "status": "active", "tags": ["lamp"], "stock": 7}  # fmt: skip


async def audit(shop) -> dict:
    return (await shop.get("admin/audit?limit=1", headers=staff())).json()["items"][0]


async def test_a_product_is_added_shown_listed_and_sold(shop):
    added = await shop.post("admin/products", json=LAMP, headers=staff("catalog_manager"))
    assert added.status_code == 201, added.text
    id = added.json()["id"]
    assert added.json()["facts"]["brand"] == "Lumo"
    entry = await audit(shop)
    assert (entry["action"], entry["subject"], entry["after"]["title"]) == ("products.add", id, "Desk lamp")
    page = (await shop.get("products?category=lamps")).json()
    assert [one["id"] for one in page["items"]] == [id]
    order = await shop.buy(await shop.cart_with((id, 2)))
    assert order.status_code == 201, order.text
    again = await shop.post("admin/products", json=LAMP | {"title": "Another"}, headers=staff())
    assert (again.status_code, again.json()["code"]) == (409, "cannot_add_product")
    drafts = [("T-1", "draft"), ("T-2", "draft"), ("T-3", "archived")]
    for sku, status in drafts:
        body = {"sku": sku, "title": sku, "price": 1, "status": status, "variants": [{"sku": sku, "price": 1}]}
        assert (await shop.post("admin/products", json=body, headers=staff())).status_code == 201
    listed = (await shop.get("admin/products?status=draft&limit=1", headers=staff())).json()
    rest = await shop.get(f"admin/products?status=draft&limit=1&cursor={listed['next_cursor']}", headers=staff())
    assert [one["sku"] for one in listed["items"] + rest.json()["items"]] == ["T-2", "T-1"]
    assert rest.json()["next_cursor"] is None
    shown = (await shop.get("admin/products/t-1", headers=staff())).json()
    assert (shown["version"], shown["facts"]["status"]) == (1, "draft")
    assert (await shop.get("products/t-1")).status_code == 404
    assert (await shop.get("admin/products/nowhere", headers=staff())).json()["code"] == "product_not_found"


async def test_many_products_change_together_or_not_at_all(shop, db):
    async with db.tx() as tx:
        ids = [str(await a_product(tx, sku=f"S{n}", title=f"Lamp {n}")) for n in range(3)]
    items = [{"product": id, "changes": {"badge": "sale"}, "version": 1} for id in ids]
    answer = await shop.post("admin/products/bulk", json={"items": items}, headers=staff())
    assert answer.json() == {"versions": [2, 2, 2]}
    stale = [{"product": id, "changes": {"badge": "new"}, "version": 2 if id != ids[1] else 1} for id in ids]
    answer = await shop.post("admin/products/bulk", json={"items": stale}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    for id in ids:
        assert (await shop.get(f"products/{id}")).json()["badge"] == "sale"
    entries = (await shop.get("admin/audit?limit=9", headers=staff())).json()["items"]
    assert [one["subject"] for one in entries] == ids[::-1]
    for wrong in ([], items * 40, [{"product": ids[0], "changes": {"nonsense": 1}}]):
        answer = await shop.post("admin/products/bulk", json={"items": wrong}, headers=staff())
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_two_bulk_changes_in_opposite_orders_both_end(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        ids = [str(await a_product(tx, sku=f"S{n}")) for n in range(10)]
    for _ in range(4):
        answers = await asyncio.gather(*[
            busy_shop.post("admin/products/bulk", headers=staff(), json={
                "items": [{"product": id, "changes": {"badge": f"b{n}"}} for id in order]
            }) for n, order in enumerate((ids, ids[::-1]))
        ])  # fmt: skip
        assert {one.status_code for one in answers} == {200}
        badges = {(await busy_shop.get(f"products/{id}")).json()["badge"] for id in ids}
        assert len(badges) == 1


async def test_what_is_not_on_sale_yet_is_counted_too(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, sku="NEW", stock=0, status="draft")
    answer = await shop.put("admin/stock", json={"items": [{"sku": "NEW", "units": 7}]}, headers=staff())
    assert (answer.status_code, answer.json()) == (200, {"units": {"NEW": 7}})
    assert (await shop.get(f"products/{lamp}")).status_code == 404
    await shop.patch(f"admin/products/{lamp}", json={"status": "active"}, headers=staff())
    assert (await shop.get(f"products/{lamp}")).json()["in_stock"] is True
    assert (await shop.buy(await shop.cart_with((lamp, 7)))).status_code == 201


async def test_stock_is_set_for_many_and_refused_when_it_changed_meanwhile(shop, db):
    async with db.tx() as tx:
        for n in range(3):
            await a_product(tx, sku=f"S{n}", stock=5)
    items = [{"sku": "S0", "units": 2, "expected": 5}, {"sku": "S1", "units": 9}]
    answer = await shop.put("admin/stock", json={"items": items}, headers=staff("catalog_manager"))
    assert answer.json() == {"units": {"S0": 2, "S1": 9}}
    entry = await audit(shop)
    assert (entry["before"], entry["after"]) == ({"S0": 5, "S1": 5}, {"S0": 2, "S1": 9})
    stale = await shop.put("admin/stock", json={"items": [{"sku": "S2", "units": 1}, *items]}, headers=staff())
    assert (stale.status_code, stale.json()["code"], stale.json()["free"]) == (412, "stale_level", 2)
    levels = (await shop.get("admin/stock?limit=10", headers=staff())).json()["items"]
    assert {one["sku"]: one["available"] for one in levels} == {"S0": 2, "S1": 9, "S2": 5}
    moves = (await shop.get("admin/stock/S0/movements", headers=staff())).json()["items"]
    assert [one["delta"] for one in moves] == [-3, 5]
    twice = [{"sku": "S0", "units": 3}, {"sku": "S0", "units": 4}]
    assert (await shop.put("admin/stock", json={"items": twice}, headers=staff())).json() == {"units": {"S0": 4}}
    for wrong, code in (({"sku": "NONE", "units": 1}, "product_not_found"), ({"sku": "S0", "units": -1}, None)):
        answer = await shop.put("admin/stock", json={"items": [wrong]}, headers=staff())
        assert answer.json()["code"] == (code or "invalid_request")
    nowhere = await shop.put("admin/stock", json={"items": items, "warehouse": "mars"}, headers=staff())
    assert nowhere.json()["code"] == "warehouse_not_found"


async def test_offers_are_added_listed_and_ended(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000)
    offer = {"name": "Ten off", "kind": "percent", "value": 1000, "code": "ten"}
    added = await shop.post("admin/promotions", json=offer, headers=staff())
    assert (added.status_code, added.json()["code"]) == (201, "TEN")
    assert (await shop.post("admin/promotions", json=offer, headers=staff())).json()["code"] == "offer_invalid"
    assert [one["code"] for one in (await shop.get("admin/promotions", headers=staff())).json()["items"]] == ["TEN"]
    cart = await shop.cart_with((str(lamp), 1))
    path, mine = f"carts/{cart['id']}/coupon", {"Cart-Token": cart["token"]}
    assert (await shop.put(path, json={"code": "TEN"}, headers=mine)).json()["discount"]["amount"] == 100
    assert (await shop.delete("admin/promotions/TEN", headers=staff())).status_code == 204
    assert (await audit(shop))["action"] == "promotions.end"
    assert (await shop.delete("admin/promotions/TEN", headers=staff())).json()["code"] == "offer_not_found"


async def test_of_two_who_change_an_offer_the_second_is_told(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000)
    offer = {"name": "Ten off", "kind": "percent", "value": 1000, "code": "TEN", "max_uses": 2}
    await shop.post("admin/promotions", json=offer, headers=staff())
    path = "admin/promotions/TEN"
    assert (await shop.get(path, headers=staff())).json()["version"] == 1
    first = staff() | {"If-Match": '"1"'}
    changed = await shop.patch(path, json={"value": 2000, "max_uses": 1}, headers=first)
    assert (changed.status_code, changed.json()["value"], changed.json()["version"]) == (200, 2000, 2)
    assert (await audit(shop))["before"] == {"value": 1000, "max_uses": 2, "version": 1}
    late = await shop.patch(path, json={"value": 3000}, headers=first)
    assert (late.status_code, late.json()["code"], late.json()["version"]) == (412, "stale_offer", 2)
    cart = await shop.cart_with((str(lamp), 1))
    mine = {"Cart-Token": cart["token"]}
    priced = await shop.put(f"carts/{cart['id']}/coupon", json={"code": "TEN"}, headers=mine)
    assert priced.json()["discount"]["amount"] == 200
    assert (await shop.buy(cart)).status_code == 201
    for wrong in ({"max_uses_per_customer": 1}, {"value": 10_001}, {"name": " "},
                  {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2029-01-01T00:00:00Z"}):  # fmt: skip
        refused = await shop.patch(path, json=wrong, headers=staff())
        assert (refused.status_code, refused.json()["code"]) == (409, "offer_invalid")
    assert (await shop.patch(path, json={"max_uses": 3}, headers=staff())).json()["used"] == 1
    assert (await shop.patch(path, json={"max_uses": 1}, headers=staff())).status_code == 200
    again = await shop.cart_with((str(lamp), 1))
    refused = await shop.put(
        f"carts/{again['id']}/coupon", json={"code": "TEN"}, headers={"Cart-Token": again["token"]}
    )
    assert refused.json()["code"] == "coupon_invalid"
    over = await shop.patch(path, json={"ends_at": "2020-01-01T00:00:00Z"}, headers=staff())
    assert over.status_code == 200
    assert (await shop.get(path, headers=staff())).json()["code"] == "offer_not_found"
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_a_limit_cannot_be_below_what_was_used(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000)
    offer = {"name": "Two off", "kind": "percent", "value": 200, "max_uses": 9}
    id = (await shop.post("admin/promotions", json=offer, headers=staff())).json()["id"]
    for _ in range(2):
        assert (await shop.buy(await shop.cart_with((str(lamp), 1)))).status_code == 201
    refused = await shop.patch(f"admin/promotions/{id}", json={"max_uses": 1}, headers=staff())
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "That cannot be an offer: it was used 2 times already.",
    )


async def test_many_orders_move_each_on_its_own(shop, db, fake):
    moved_by(fake=fake)
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    numbers = [(await shop.buy(await shop.cart_with((lamp, 1)))).json()["number"] for _ in range(3)]
    await shop.post(f"admin/orders/{numbers[1]}/cancel", json={"why": "asked"}, headers=staff())
    await take_money(db)
    wanted = [*numbers, "T-NOWHERE"]
    for step, status in (("pack", "packed"), ("ship", "shipped"), ("deliver", "delivered")):
        body = {"step": step, "numbers": wanted}
        answer = await shop.post("admin/orders/bulk", json=body, headers=staff("support"))
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        assert [one["number"] for one in items] == wanted
        assert [one.get("status", one.get("code")) for one in items] == [
            status, "order_cannot_move", status, "order_not_found",
        ]  # fmt: skip
        assert (await audit(shop))["action"] == f"orders.{step}"
    shown = (await shop.get(f"admin/orders/{numbers[0]}", headers=staff())).json()
    assert shown["status"] == "delivered"
    for wrong in ({"step": "cancel", "numbers": wanted}, {"step": "pack", "numbers": []},
                  {"step": "pack", "numbers": wanted * 26}):  # fmt: skip
        assert (await shop.post("admin/orders/bulk", json=wrong, headers=staff())).status_code == 422


async def test_dates_that_stand_for_ever_break_nothing(shop, db):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000)
    offer = {"name": "Some", "kind": "percent", "value": 100}
    id = (await shop.post("admin/promotions", json=offer, headers=staff())).json()["id"]
    for moment in ("9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00",
                   "0001-01-01T00:00:00+14:00"):  # fmt: skip
        for name in ("starts_at", "ends_at"):
            refused = await shop.patch(f"admin/promotions/{id}", json={name: moment}, headers=staff())
            assert (refused.status_code, refused.json()["code"]) == (409, "offer_invalid")
            refused = await shop.post("admin/promotions", json=offer | {name: moment}, headers=staff())
            assert (refused.status_code, refused.json()["code"]) == (409, "offer_invalid")
        refused = await shop.post("admin/products", json=LAMP | {"published_at": moment}, headers=staff())
        assert (refused.status_code, refused.json()["code"]) == (409, "cannot_add_product")
        url = {"url": "https://example.com/hook", "topics": ["order.paid"]}
        hook = (await shop.post("admin/webhooks", json=url, headers=staff())).json()["id"]
        again = await shop.post(f"admin/webhooks/{hook}/replay", json={"since": moment}, headers=staff())
        assert (again.status_code, again.json()) == (201, {"messages": 0})
    cart = await shop.cart_with((str(lamp), 1))
    assert (await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})).status_code == 200


async def test_an_offer_says_what_is_wrong_and_keeps_quiet_when_nothing_changed(shop, db):
    free = {"name": "No postage", "kind": "free_shipping", "code": "POST"}
    id = (await shop.post("admin/promotions", json=free, headers=staff())).json()["id"]
    large = {"value": 20_000}
    for change in (shop.patch("admin/promotions/post", json=large, headers=staff()),
                   shop.post("admin/promotions", json=free | large | {"code": "BE"}, headers=staff())):  # fmt: skip
        refused = await change
        assert (refused.status_code, refused.json().get("why", "")[:9]) == (409, "its value"), refused.text
    same = await shop.patch(f"admin/promotions/{id.upper()}", json={}, headers=staff())
    assert (same.status_code, same.json()["version"]) == (200, 1)
    assert (await audit(shop))["action"] == "promotions.add"
    shown = await shop.get("admin/promotions/post", headers=staff())
    tag = shown.headers["etag"]
    assert tag == '"1"'
    again = await shop.get("admin/promotions/post", headers=staff() | {"If-None-Match": tag})
    assert again.status_code == 304
    late = await shop.delete("admin/promotions/post", headers=staff() | {"If-Match": '"7"'})
    assert late.json()["code"] == "stale_offer"
    assert (await shop.delete("admin/promotions/post", headers=staff() | {"If-Match": tag})).status_code == 204
    entry = await audit(shop)
    assert (entry["action"], entry["subject"]) == ("promotions.end", id)
    assert set(entry["after"]) == {"ends_at"}


async def test_a_price_is_changed_only_at_the_version_that_was_read(shop, db):
    async with db.tx() as tx:
        id = await a_product(tx, sku="LAMP", price=1000)
    tag = (await shop.get(f"admin/products/{id}", headers=staff())).headers["etag"]
    first = await shop.patch("admin/variants/LAMP", json={"price": 900}, headers=staff() | {"If-Match": tag})
    assert first.status_code == 204
    late = await shop.patch("admin/variants/LAMP", json={"price": 1}, headers=staff() | {"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    anyhow = await shop.patch("admin/variants/LAMP", json={"price": 800}, headers=staff() | {"If-Match": "*"})
    assert anyhow.status_code == 204
    wrong = await shop.patch("admin/variants/LAMP", json={"price": 800}, headers=staff() | {"If-Match": '"x"'})
    assert wrong.json()["errors"][0]["field"] == "If-Match"
    moved = {"slug": "lampe", "featured": True, "withdraw_at": "2030-01-01T00:00:00Z"}
    assert (await shop.patch(f"admin/products/{id}", json=moved, headers=staff())).status_code == 200
    assert set((await audit(shop))["after"]) == {"slug", "featured", "withdraw_at"}


async def test_an_outage_stops_a_bulk_and_says_what_was_not_done(shop, db, fake, monkeypatch):
    moved_by(fake=fake)
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    numbers = [(await shop.buy(await shop.cart_with((lamp, 1)))).json()["number"] for _ in range(3)]
    whole = {"step": "pack", "numbers": numbers}
    fails_after = 0

    async def packed(tx, id, who):
        nonlocal fails_after
        if fails_after == 0:
            raise DatabaseUnavailable
        fails_after -= 1
        await orders.fulfil.pack(tx, id, who)

    monkeypatch.setitem(STEPS, "pack", packed)
    refused = await shop.post("admin/orders/bulk", json=whole, headers=staff())
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    fails_after = 1
    partly = (await shop.post("admin/orders/bulk", json=whole, headers=staff())).json()["items"]
    assert [one.get("status", one.get("code")) for one in partly] == ["packed", *["database_unavailable"] * 2]
