"""R18: who may do what, tried for every route that the application has.

The routes come from the application itself. A route of staff must let in those whose role has its permission and nobody
else; a route of the storefront must be in `POLICY`, and a thing of somebody else must look like one that is not there.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from litestar import get

from tests.client import ADDRESS
from tests.making import new_product, some_products
from tests.servers import STAFF
from tests.surface.test_backoffice import staff
from tfmshop.commerce import accounts
from tfmshop.commerce.accounts.permissions import PERMISSIONS
from tfmshop.surface.http.app import build
from tfmshop.surface.http.backoffice.guard import all_guarded, needs

API = "/api/v1"
PUBLIC, SIGNED, CART, ORDER, MINE = "public", "signed in", "a cart's owner", "an order's owner", "one's own thing"
PROBES = "probes'"
POLICY = {
    "/openapi.json": PUBLIC, "/health": PUBLIC, "/health/live": PUBLIC, "/health/ready": PUBLIC,
    "/health/startup": PUBLIC, "/metrics": PROBES, "/auth": PUBLIC, "/categories": PUBLIC, "/search": PUBLIC,
    "/media": PUBLIC, "/payments": PUBLIC, "/fake-bank": PUBLIC, "/products": PUBLIC,
    "/products/{id_or_slug}/reviews POST": SIGNED, "/auth/verify-email": SIGNED,
    "/carts POST": PUBLIC, "/carts/mine": SIGNED, "/carts/mine/merge": SIGNED, "/carts/{cart_id}": CART,
    "/orders": SIGNED, "/orders/{order_id}": ORDER, "/orders/number/{number}": ORDER, "/me": SIGNED,
    "/me/addresses/{address_id}": MINE, "/me/sessions/{session_id}": MINE,
}  # fmt: skip
"""What a route is for, by the longest beginning of its path that is here."""
PAYMENT = {"payment": {"provider": "fake", "token": "ok"}, "email": "a@example.com", "address": ADDRESS}
BODIES: dict[str, Any] = {
    "/carts/{cart_id}/address PUT": ADDRESS, "/carts/{cart_id}/checkout POST": PAYMENT,
    "/carts/{cart_id}/coupon PUT": {"code": "X"}, "/carts/{cart_id}/email PUT": {"email": "a@example.com"},
    "/carts/{cart_id}/lines POST": {"product_id": "{product}", "quantity": 1},
    "/carts/{cart_id}/lines/{line_id} PATCH": {"quantity": 1}, "/carts/{cart_id}/shipping PUT": {"method": "post"},
    "/orders/{order_id}/returns POST": {"lines": [{"sku": "LAMP", "quantity": 1}]},
    "/me/addresses/{address_id} PUT": {"address": ADDRESS},
    "/products/{id_or_slug}/reviews POST": {"rating": 5, "title": "x", "body": "x"},
}  # fmt: skip


def routes() -> list[tuple[str, str, str | None]]:
    """Method, path and permission of every route."""
    app: Any = build(None)._app
    found = set()
    for route in app.routes:
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                if not route.path_format.startswith("/-/"):
                    found.add((method, route.path_format, handler.opt.get("permission")))
    return sorted(found, key=str)


ADMIN = [one for one in routes() if one[1].startswith(f"{API}/admin/")]
OTHERS = [one for one in routes() if not one[1].startswith(f"{API}/admin/")]


def policy(method: str, path: str) -> str | None:
    short = path.removeprefix(API)
    if f"{short} {method}" in POLICY:
        return POLICY[f"{short} {method}"]
    while short:
        if short in POLICY:
            return POLICY[short]
        short = short.rpartition("/")[0]
    return None


def filled(path: str, **values: str) -> str:
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", values.get(name, str(uuid4()) if name.endswith("_id") else "x"))
    return path


def test_every_route_of_staff_names_a_permission_that_somebody_has():
    assert len(ADMIN) >= 30
    assert {permission for _, _, permission in ADMIN} <= set(PERMISSIONS)


def test_a_route_of_staff_without_a_permission_does_not_start():
    @get("/x")
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="forgotten names no permission"):
        all_guarded([forgotten])
    with pytest.raises(KeyError):
        needs("nonsense")


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OTHERS])
def test_every_other_route_says_whom_it_is_for(method, path):
    assert policy(method, path) is not None


@pytest.mark.parametrize(("method", "path", "permission"), ADMIN)
async def test_staff_come_in_with_the_permission_and_nobody_else(shop, db, method, path, permission):
    async with db.read() as tx:
        table = {role.name: role.permissions for role in await accounts.permissions.roles(tx)}
    assert set(table) == set(STAFF)
    for role in (None, *STAFF):
        headers = {} if role is None else staff(role)
        answer = await shop.request(method, filled(path), json={} if method != "GET" else None, headers=headers)
        if role is None:
            assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
        elif permission not in table[role]:
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        else:
            assert answer.status_code not in (401, 403), answer.text
            assert answer.status_code < 500
            assert method != "GET" or "{" in path or answer.status_code == 200, answer.text
    forged = await shop.request(method, filled(path), headers={"Authorization": "Bearer x"})
    assert (forged.status_code, forged.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OTHERS if policy(m, p) in (SIGNED, MINE)])
async def test_nobody_unknown_comes_where_one_must_be_signed_in(shop, method, path):
    body = BODIES.get(f"{path.removeprefix(API)} {method}")
    answer = await shop.request(method, filled(path), json=body)
    assert answer.status_code in (401, 422), answer.text
    if answer.status_code == 401:
        assert answer.json()["code"] == "sign_in_required"


@pytest.fixture
async def world(shop, db) -> dict[str, Any]:
    """A guest's cart and order, and those of a customer; somebody else, with a cart and a token of their own."""
    async with db.tx() as tx:
        lamp = (await some_products(tx, new_product(sku="LAMP", stock=50)))[0]
    cart = await shop.cart_with((lamp, 1))
    order = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    me = await shop.sign_in("me@example.com")
    mine = (await shop.get("carts/mine", headers=me)).json()
    address = (await shop.post("me/addresses", json={"address": ADDRESS}, headers=me)).json()
    session = (await shop.get("me/sessions", headers=me)).json()["items"][0]
    other, eve = await shop.cart_with((lamp, 1)), await shop.sign_in("eve@example.com")
    bought = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    return {
        "product": lamp, "cart": cart, "order": order, "me": me, "mine": mine, "address": address["id"],
        "session": session["id"], "people": {eve["Authorization"]},
        "others": [
            {}, {"Cart-Token": ""}, {"Order-Token": ""}, {"Cart-Token": other["token"], "Order-Token": bought["token"]},
            eve, staff(),
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OTHERS if policy(m, p) in (CART, ORDER, MINE)])
async def test_what_is_somebody_elses_looks_like_nothing(shop, world, method, path):
    """The same status, code and words for a thing of somebody else and one that is not there; never a success."""
    short = path.removeprefix(API)
    body = BODIES.get(f"{short} {method}")
    if body and "product_id" in body:
        body = body | {"product_id": world["product"]}
    own = [
        {"cart_id": world["cart"]["id"], "order_id": world["order"]["id"], "number": world["order"]["number"],
         "address_id": world["address"], "session_id": world["session"]},
        {"cart_id": world["mine"]["id"]},
    ]  # fmt: skip
    for headers in world["others"]:
        if policy(method, path) == MINE and headers.get("Authorization") not in world["people"]:
            continue
        for things in own:
            key = {"Idempotency-Key": uuid4().hex}
            foreign = await shop.request(method, filled(path, **things), json=body, headers=headers | key)
            missing = await shop.request(method, filled(path), json=body, headers=headers | key)
            assert foreign.status_code == missing.status_code == 404, (foreign.text, missing.text)
            seen = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in (foreign, missing)]
            assert seen[0] == seen[1]
