"""Variants and pictures by hand, over HTTP."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

import pytest

from tests.making import a_product, new_product, some_products
from tests.surface.test_backoffice import picture, staff
from tfmshop.commerce import catalog
from tfmshop.platform.db import Query, broken

LEVELS = Query("test.stock_by_sku", "SELECT sku, available FROM inventory.stock ORDER BY sku")
BRANDS = Query("test.brands", "SELECT name FROM catalog.brand ORDER BY name")
BLUE = {"sku": "LAMP-B2", "title": "Blue", "options": {"colour": "blue"}, "price": 1200, "stock": 4}


async def page(shop, slug: str = "lamp") -> dict[str, Any]:
    return (await shop.get(f"products/{slug}")).json()


async def cart_of(shop, variant: str) -> dict[str, Any]:
    cart = await shop.cart_with()
    line = {"variant_id": variant, "quantity": 1}
    answer = await shop.post(f"carts/{cart['id']}/lines", json=line, headers={"Cart-Token": cart["token"]})
    assert answer.status_code == 201, answer.text
    return cart


async def levels(db) -> dict[str, int]:
    async with db.read() as tx:
        return dict(await tx.rows(LEVELS))


@pytest.fixture
async def lamp(db) -> str:
    async with db.tx() as tx:
        return str(await a_product(tx, sku="LAMP", title="Lamp", price=1000, stock=0))


async def test_a_variant_is_added_changed_and_taken_out(shop, db, lamp):
    assert not (await page(shop))["in_stock"]
    answer = await shop.post("admin/products/lamp/variants", json=BLUE, headers=staff("catalog_manager"))
    assert answer.status_code == 201, answer.text
    now = await page(shop)
    assert answer.json() == {"version": now["version"]}
    assert [(v["sku"], v["price"]["amount"], v["options"]) for v in now["variants"]] == [
        ("LAMP", 1000, {}), ("LAMP-B2", 1200, {"colour": "blue"})]  # fmt: skip
    assert now["in_stock"]
    assert await levels(db) == {"LAMP": 0, "LAMP-B2": 4}
    found = (await shop.get("search?q=LAMP-B2")).json()["items"]
    assert [item["id"] for item in found] == [lamp]

    change = {"sku": "LAMP-N3", "options": {"colour": "navy"}}
    answer = await shop.patch("admin/variants/LAMP-B2", json=change, headers=staff())
    assert answer.status_code == 204, answer.text
    assert [(v["sku"], v["options"]) for v in (await page(shop))["variants"]][1] == ("LAMP-N3", {"colour": "navy"})
    assert await levels(db) == {"LAMP": 0, "LAMP-N3": 4}
    assert [item["id"] for item in (await shop.get("search?q=LAMP-N3")).json()["items"]] == [lamp]

    assert (await shop.delete("admin/variants/LAMP-N3", headers=staff())).status_code == 204
    now = await page(shop)
    assert ([v["sku"] for v in now["variants"]], now["in_stock"]) == (["LAMP"], False)
    async with db.tx() as tx:
        assert await broken(tx) == {}
    answer = await shop.delete("admin/variants/LAMP", headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_change_variants")
    await shop.post("admin/products/lamp/variants", json=BLUE, headers=staff())
    for change in (shop.patch("admin/variants/LAMP", json={"sku": "LAMP-A"}, headers=staff()),
                   shop.delete("admin/variants/LAMP-A", headers=staff())):  # fmt: skip
        assert (await change).status_code == 204
        lead = (await page(shop))["variants"][0]["sku"]
        assert (await shop.get("admin/products", headers=staff())).json()["items"][0]["sku"] == lead
    log = (await shop.get("admin/audit", headers=staff())).json()["items"]
    assert [one["action"] for one in log][-3:] == ["variants.drop", "variants.change", "variants.add"]


async def test_a_sku_is_of_one_variant(shop, db, lamp):
    async with db.tx() as tx:
        await some_products(tx, new_product(sku="SHADE", title="Shade"))
    for answer in (
        await shop.post("admin/products/lamp/variants", json=BLUE | {"sku": "SHADE"}, headers=staff()),
        await shop.patch("admin/variants/LAMP", json={"sku": "SHADE"}, headers=staff()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")
        assert "'SHADE'" in answer.json()["detail"]
    answer = await shop.post("admin/products/lamp/variants", json=BLUE | {"compare_at_price": 1}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "bad_price")
    assert [v["sku"] for v in (await page(shop))["variants"]] == ["LAMP"]


async def test_a_product_has_a_hundred_variants_at_most(shop, db, lamp, monkeypatch):
    monkeypatch.setattr(catalog.variants, "MOST", 1)
    answer = await shop.post("admin/products/lamp/variants", json=BLUE, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_change_variants")


async def test_what_was_sold_stays(shop, db, lamp):
    await shop.post("admin/products/lamp/variants", json=BLUE, headers=staff())
    variant = next(v["id"] for v in (await page(shop))["variants"] if v["sku"] == "LAMP-B2")
    cart = await cart_of(shop, variant)
    assert (await shop.buy(cart)).status_code == 201
    answer = await shop.delete("admin/variants/LAMP-B2", headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_change_variants")
    assert "was sold" in answer.json()["detail"]


async def test_a_cart_outlives_a_variant(shop, db, lamp):
    await shop.post("admin/products/lamp/variants", json=BLUE, headers=staff())
    variant = next(v["id"] for v in (await page(shop))["variants"] if v["sku"] == "LAMP-B2")
    cart = await cart_of(shop, variant)
    assert (await shop.delete("admin/variants/LAMP-B2", headers=staff())).status_code == 204
    now = await shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})
    assert (now.status_code, now.json()["lines"]) == (200, [])
    assert (await shop.buy(cart)).status_code == 409


async def test_pictures_are_described_and_put_in_order(shop, db, lamp):
    added = []
    for width in (300, 400, 500):
        answer = await shop.post("admin/products/lamp/pictures", content=picture(size=(width, 200)),
                                 headers=staff() | {"Content-Type": "image/png"})  # fmt: skip
        added.append(answer.json())
    version = (await page(shop))["version"]
    answer = await shop.patch(f"admin/pictures/{added[2]['id']}", json={"alt": "From above"}, headers=staff())
    assert answer.status_code == 204
    order = {"pictures": [added[2]["id"]]}
    answer = await shop.put("admin/products/lamp/pictures/order", json=order, headers=staff("catalog_manager"))
    assert answer.status_code == 204, answer.text
    now = await page(shop)
    assert [(p["url"], p["alt"]) for p in now["pictures"]] == [
        (added[2]["url"], "From above"), (added[0]["url"], ""), (added[1]["url"], "")]  # fmt: skip
    assert (now["image"], now["version"]) == (added[2]["url"], version + 2)
    assert (await shop.get("products")).json()["items"][0]["image"] == added[2]["url"]
    order = {"pictures": [added[1]["id"], added[0]["id"], added[1]["id"]]}
    await shop.put("admin/products/lamp/pictures/order", json=order, headers=staff())
    assert [p["url"] for p in (await page(shop))["pictures"]] == [added[n]["url"] for n in (1, 0, 2)]
    log = (await shop.get("admin/audit", headers=staff())).json()["items"]
    assert [one["action"] for one in log][:3] == ["pictures.order", "pictures.order", "pictures.describe"]


async def test_pictures_of_others_are_not_put_in_order(shop, db, lamp):
    async with db.tx() as tx:
        await some_products(tx, new_product(sku="SHADE", title="Shade"))
    other = await shop.post("admin/products/shade/pictures", content=picture(),
                            headers=staff() | {"Content-Type": "image/png"})  # fmt: skip
    order = {"pictures": [other.json()["id"]]}
    answer = await shop.put("admin/products/lamp/pictures/order", json=order, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (404, "picture_not_found")


async def test_the_brand_of_a_product_is_changed(shop, db, lamp):
    for brand in ("Halden", "Other", "Halden", None):
        answer = await shop.patch("admin/products/lamp", json={"brand": brand}, headers=staff())
        assert answer.status_code == 200, answer.text
        assert (await page(shop))["brand"] == brand
        assert len((await shop.get("products?brand=Halden")).json()["items"]) == (brand == "Halden")


async def test_a_variant_is_not_taken_out_while_somebody_buys_it(busy_shop, wide_db):
    """Each in its order: either it is sold and stays, or it is gone and nobody buys it."""
    async with wide_db.tx() as tx:
        await a_product(tx, sku="LAMP", title="Lamp", price=1000, stock=0)
    outcomes = set()
    for number in range(8):
        sku = f"LAMP-{number}"
        await busy_shop.post("admin/products/lamp/variants", json=BLUE | {"sku": sku, "stock": 1}, headers=staff())
        variant = next(v["id"] for v in (await page(busy_shop))["variants"] if v["sku"] == sku)
        cart = await cart_of(busy_shop, variant)

        async def buy(cart=cart):
            return (await busy_shop.buy(cart)).status_code

        async def drop(sku=sku, late=number % 2):
            await asyncio.sleep(0.01 * late)
            return (await busy_shop.delete(f"admin/variants/{sku}", headers=staff())).status_code

        bought, dropped = await asyncio.gather(*(asyncio.create_task(w(), context=copy_context()) for w in (buy, drop)))
        outcomes.add((bought, dropped))
        assert (bought == 201) != (dropped == 204)
    async with wide_db.tx() as tx:
        assert await broken(tx) == {}


async def test_a_brand_that_several_make_at_once_is_made_once(busy_shop, wide_db):
    async with wide_db.tx() as tx:
        ids = await some_products(tx, *(new_product(sku=f"S{n}", title=f"Thing {n}") for n in range(8)))

    async def change(id: str) -> int:
        return (await busy_shop.patch(f"admin/products/{id}", json={"brand": "Fresh"}, headers=staff())).status_code

    changes = [asyncio.create_task(change(id), context=copy_context()) for id in ids]
    assert await asyncio.gather(*changes) == [200] * 8
    async with wide_db.read() as tx:
        assert [row["name"] for row in await tx.rows(BRANDS)].count("Fresh") == 1
    answer = await busy_shop.patch(f"admin/products/{ids[0]}", json={"brand": "  "}, headers=staff())
    assert answer.status_code == 422


@pytest.mark.parametrize("sku", ["A/B", ".", "..", ""])
async def test_a_sku_can_stand_in_an_address(shop, lamp, sku):
    answer = await shop.post("admin/products/lamp/variants", json=BLUE | {"sku": sku}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_pictures_of_drafts_are_seen_by_staff(shop, db):
    async with db.tx() as tx:
        await a_product(tx, sku="DRAFT", title="Draft", status="draft")
    answer = await shop.post("admin/products/draft/pictures?alt=Front&sku=DRAFT", content=picture(),
                             headers=staff() | {"Content-Type": "image/png"})  # fmt: skip
    shown = (await shop.get("admin/products/draft", headers=staff())).json()
    assert shown["pictures"] == [answer.json() | {"alt": "Front", "sku": "DRAFT"}]


async def test_a_product_keeps_its_own_sku_when_another_variant_had_it(shop, db):
    async with db.tx() as tx:
        variants = [catalog.NewVariant(sku=f"P-{n}", price=1) for n in (1, 2)]
        await some_products(tx, new_product(sku="P", title="Pot", variants=variants))
    for answer in (await shop.post("admin/products/pot/variants", json=BLUE | {"sku": "P"}, headers=staff()),
                   await shop.delete("admin/variants/P", headers=staff())):  # fmt: skip
        assert answer.status_code in (201, 204)
    assert (await shop.get("admin/products", headers=staff())).json()["items"][0]["sku"] == "P"
