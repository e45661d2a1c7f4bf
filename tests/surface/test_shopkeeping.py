"""What staff do with products, stock and offers over HTTP, one at a time and many at once."""

from __future__ import annotations

import asyncio

from tests.making import a_product
from tests.surface.test_backoffice import staff

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
    orders = [ids, ids[::-1]] * 4
    answers = await asyncio.gather(*[
        busy_shop.post("admin/products/bulk", headers=staff(), json={
            "items": [{"product": id, "changes": {"badge": f"b{n}"}} for id in order]
        }) for n, order in enumerate(orders)
    ])  # fmt: skip
    assert {one.status_code for one in answers} == {200}
    badges = {(await busy_shop.get(f"products/{id}")).json()["badge"] for id in ids}
    assert len(badges) == 1


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
