"""The back office of categories: added, renamed, moved, put in order, taken out; attributes; related products."""

from __future__ import annotations

import pytest

from tests.making import new_product, some_products
from tests.surface.test_backoffice import staff
from tfmshop.platform.db import broken


@pytest.fixture
async def shelves(shop, db):
    async with db.tx() as tx:
        await some_products(tx, new_product(title="Lamp", category=("Home", "Lamps")), new_product(title="Bulb"))
    await shop.post("admin/categories", json={"name": "Garden"}, headers=staff())
    return shop


async def acts(shop, limit: int) -> list[dict]:
    return (await shop.get(f"admin/audit?limit={limit}", headers=staff())).json()["items"]


async def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_category_is_added_renamed_moved_and_taken_out(shelves, db):
    made = await shelves.post("admin/categories", json={"name": "Shades", "parent": "home"}, headers=staff())
    assert (made.status_code, made.json()["slug"]) == (201, "shades")
    path = f"admin/categories/{made.json()['id']}"
    changed = await shelves.patch(path, json={"name": "Covers", "slug": "covers", "parent": "garden"}, headers=staff())
    assert [crumb["slug"] for crumb in changed.json()["breadcrumbs"]] == ["garden", "covers"]
    assert (await shelves.get("categories/shades")).status_code == 301
    (act,) = await acts(shelves, 1)
    assert act["before"] == {"name": "Shades", "slug": "shades", "parent": "home"}
    assert act["after"] == {"name": "Covers", "slug": "covers", "parent": "garden"}
    top = await shelves.patch(path, json={"parent": None}, headers=staff())
    assert [crumb["slug"] for crumb in top.json()["breadcrumbs"]] == ["covers"]
    assert (await shelves.delete(path, headers=staff())).status_code == 204
    assert (await acts(shelves, 1))[0]["before"]["slug"] == "covers"
    assert await code_of(await shelves.delete(path, headers=staff())) == (404, "category_not_found")
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_what_cannot_be_is_refused_and_changes_nothing(shelves):
    before = (await shelves.get("categories/tree")).json()
    for method, path, body, why in (
        ("POST", "categories", {"name": "Home"}, (409, "slug_taken")),
        ("POST", "categories", {"name": "X", "parent": "nowhere"}, (404, "category_not_found")),
        ("PATCH", "categories/home", {"name": "Y", "parent": "lamps"}, (409, "cannot_move_category")),
        ("PATCH", "categories/home", {"slug": "garden"}, (409, "slug_taken")),
        ("PATCH", "categories/home", {"colour": "red"}, (422, "invalid_request")),
        ("PATCH", "categories/home", {"name": " "}, (409, "cannot_move_category")),
        ("PATCH", "categories/home", {"slug": "!!!"}, (409, "cannot_move_category")),
        ("DELETE", "categories/home", None, (409, "category_in_use")),
        ("PUT", "categories/order", {"categories": ["home", "nowhere"]}, (404, "category_not_found")),
    ):
        answer = await shelves.request(method, f"admin/{path}", json=body, headers=staff())
        assert await code_of(answer) == why, path
    assert (await shelves.get("categories/tree")).json() == before


async def test_sisters_are_put_in_order(shelves):
    async def order() -> list[str]:
        return [one["slug"] for one in (await shelves.get("categories/tree")).json()["items"]]

    wanted = [*reversed(await order())]
    given = await shelves.put("admin/categories/order", json={"categories": wanted}, headers=staff())
    assert given.status_code == 204
    assert await order() == wanted
    (act,) = await acts(shelves, 1)
    assert (act["before"], act["after"]) == (wanted[::-1], wanted)


async def test_attributes_are_defined_listed_and_taken_out(shelves):
    path = "admin/categories/home/attributes"
    body = {"label": "Power", "kind": "number", "unit": "W"}
    defined = await shelves.put(f"{path}/watts", json=body, headers=staff())
    assert defined.json()["items"] == [{"name": "watts", **body}]
    assert (await shelves.get("products/lamp")).json()["attributes"]["watts"]["label"] == "Power"
    below = await shelves.get("admin/categories/lamps/attributes", headers=staff())
    assert below.json() == defined.json()
    same = await shelves.put("admin/categories/lamps/attributes/watts", json=body, headers=staff())
    assert same.status_code == 200
    (act,) = await acts(shelves, 1)
    assert (act["before"], act["after"]["unit"]) == (None, "W"), "what stands above is not its own"
    wrong = await shelves.put(f"{path}/colour", json={"label": "Colour", "unit": "W"}, headers=staff())
    assert await code_of(wrong) == (409, "bad_specification")
    assert (await shelves.delete(f"{path}/watts", headers=staff())).status_code == 204
    assert await code_of(await shelves.delete(f"{path}/watts", headers=staff())) == (404, "attribute_not_found")
    assert (await acts(shelves, 1))[0]["before"]["unit"] == "W"


async def test_related_products_are_chosen(shelves):
    path = "admin/products/lamp/related"
    asked = {"products": ["lamp", "bulb", "bulb"]}
    assert (await shelves.put(path, json=asked, headers=staff())).status_code == 204
    assert len((await acts(shelves, 1))[0]["after"]) == 1
    assert [one["slug"] for one in (await shelves.get("products/lamp/related")).json()["items"]] == ["bulb"]
    assert await code_of(await shelves.put(path, json={"products": ["no"]}, headers=staff())) == (
        404, "product_not_found",
    )  # fmt: skip
    assert (await shelves.put(path, json={"products": []}, headers=staff())).status_code == 204
    (act,) = await acts(shelves, 1)
    assert (len(act["before"]), act["after"]) == (1, [])
