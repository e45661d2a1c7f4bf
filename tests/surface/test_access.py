"""R18: who may do what, tried for every route that the application has.

The routes come from the application itself. A route of staff must let in those whose role has its permission and nobody
else; each route of the storefront must be in `POLICY`, and a thing of somebody else must look like one that is not
there.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from litestar import get

from tests.client import ADDRESS, Client
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
    PUBLIC: """
GET /categories, GET /categories/tree, GET /categories/{id_or_slug}, GET /media/{key}, GET /products,
GET /products/featured, GET /products/{id_or_slug}, GET /products/{id_or_slug}/related,
GET /products/{id_or_slug}/reviews, GET /search, GET /search/suggest, POST /carts,
GET /auth/providers, POST /auth/forgot-password, POST /auth/login, POST /auth/logout, POST /auth/oidc/{provider}/begin,
POST /auth/oidc/{provider}/finish, POST /auth/refresh, POST /auth/register, POST /auth/reset-password,
GET /fake-bank/{order_id}, POST /fake-bank/{order_id}/{word}, POST /payments/{provider}/webhook,
GET /health, GET /health/live, GET /health/ready, GET /health/startup, GET /openapi.json""",
    PROBES: "GET /metrics",
    SIGNED: """
GET /auth/csrf-token, POST /auth/verify-email, GET /carts/mine, POST /carts/mine/merge, GET /orders,
POST /products/{id_or_slug}/reviews, GET /me, PATCH /me, GET /me/addresses, POST /me/addresses, POST /me/email,
POST /me/email/confirm, POST /me/erase, GET /me/export, GET /me/identities, POST /me/identities/{provider},
DELETE /me/identities/{provider}, PUT /me/password, POST /me/second-factor, POST /me/second-factor/confirm,
POST /me/second-factor/drop, GET /me/sessions, DELETE /me/sessions, GET /me/statistics, GET /me/wishlist,
PUT /me/wishlist/{product}, DELETE /me/wishlist/{product}""",
    CART: """
GET /carts/{cart_id}, GET /carts/{cart_id}/why, PUT /carts/{cart_id}/address, PUT /carts/{cart_id}/email,
PUT /carts/{cart_id}/coupon, DELETE /carts/{cart_id}/coupon, PUT /carts/{cart_id}/shipping,
POST /carts/{cart_id}/lines, DELETE /carts/{cart_id}/lines, PATCH /carts/{cart_id}/lines/{line_id},
DELETE /carts/{cart_id}/lines/{line_id}, POST /carts/{cart_id}/reservation, DELETE /carts/{cart_id}/reservation,
POST /carts/{cart_id}/checkout""",
    ORDER: """
GET /orders/number/{number}, GET /orders/{order_id}, GET /orders/{order_id}/invoice.html,
GET /orders/{order_id}/invoice.pdf, POST /orders/{order_id}/cancel, GET /orders/{order_id}/returns,
POST /orders/{order_id}/returns""",
    MINE: "PUT /me/addresses/{address_id}, DELETE /me/addresses/{address_id}, DELETE /me/sessions/{session_id}",
}
"""Whom each route is for that is not for staff."""
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


IN_THE_WAY = {"cannot_return", "coupon_invalid", "no_invoice", "shipping_method_not_found"}
"""Why one's own thing may not be changed in this way."""


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


_WHOSE = {way: whose for whose, ways in POLICY.items() for way in re.split(r",\s+", ways.strip())}


def policy(method: str, path: str) -> str | None:
    return _WHOSE.get(f"{method} {path.removeprefix(API)}")


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


def test_nothing_is_said_of_routes_that_are_not_there():
    assert set(_WHOSE) == {f"{method} {path.removeprefix(API)}" for method, path, _ in OTHERS}


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
    """A guest's cart and order, and those of a customer; somebody else, a guest with a cart and an order of their own,
    and a customer with an order.
    """
    async with db.tx() as tx:
        lamp = (await some_products(tx, new_product(sku="LAMP", stock=50)))[0]
    cart, order = await shop.cart_with((lamp, 1)), (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    other, bought = await shop.cart_with((lamp, 1)), (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    me, eve = await shop.sign_in("me@example.com"), await shop.sign_in("eve@example.com")
    await belongings(shop, eve, lamp)
    guest = {"Cart-Token": cart["token"], "Order-Token": order["token"]}
    return {
        "product": lamp, "people": {eve["Authorization"]},
        "own": [(guest, await things(shop, guest, cart, order)), (me, await belongings(shop, me, lamp))],
        "others": [
            {}, {"Cart-Token": ""}, {"Order-Token": ""}, {"Cart-Token": other["token"], "Order-Token": bought["token"]},
            eve, staff(),
        ],
    }  # fmt: skip


async def things(shop: Client, who: dict[str, str], cart: dict[str, Any], order: dict[str, Any]) -> dict[str, str]:
    """What the path of a route names: of a cart with a line, and of an order."""
    line = (await shop.get(f"carts/{cart['id']}", headers=who)).json()["lines"][0]
    return {"cart_id": cart["id"], "line_id": line["id"], "order_id": order["id"], "number": order["number"]}


async def mine_with(shop: Client, who: dict[str, str], product: str) -> dict[str, Any]:
    """The open cart of somebody who is signed in, with a line."""
    cart: dict[str, Any] = (await shop.get("carts/mine", headers=who)).json()
    line = {"product_id": product, "quantity": 1}
    assert (await shop.post(f"carts/{cart['id']}/lines", json=line, headers=who)).status_code == 201
    return cart


async def belongings(shop: Client, who: dict[str, str], product: str) -> dict[str, str]:
    """A cart, an order, an address and a session of somebody who is signed in."""
    bought = await mine_with(shop, who, product)
    answer = await shop.post(
        f"carts/{bought['id']}/checkout", json=PAYMENT, headers=who | {"Idempotency-Key": uuid4().hex}
    )
    found = await things(shop, who, await mine_with(shop, who, product), answer.json())
    address = (await shop.post("me/addresses", json={"address": ADDRESS}, headers=who)).json()
    session = (await shop.get("me/sessions", headers=who)).json()["items"][0]
    return found | {"address_id": address["id"], "session_id": session["id"]}


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OTHERS if policy(m, p) in (CART, ORDER, MINE)])
async def test_what_is_somebody_elses_looks_like_nothing(shop, world, method, path):
    """The same status, code and words for a thing of somebody else and one that is not there; never a success."""
    body = body_of(world, method, path)
    for headers in world["others"]:
        if policy(method, path) == MINE and headers.get("Authorization") not in world["people"]:
            continue
        for _, things in world["own"]:
            key = {"Idempotency-Key": uuid4().hex}
            foreign = await shop.request(method, filled(path, **things), json=body, headers=headers | key)
            missing = await shop.request(method, filled(path), json=body, headers=headers | key)
            assert foreign.status_code == missing.status_code == 404, (foreign.text, missing.text)
            seen = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in (foreign, missing)]
            assert seen[0] == seen[1]


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OTHERS if policy(m, p) in (CART, ORDER, MINE)])
async def test_what_is_ones_own_is_there(shop, world, method, path):
    """Whatever else may be in the way."""
    for who, things in world["own"][policy(method, path) == MINE :]:
        key = {"Idempotency-Key": uuid4().hex}
        body = body_of(world, method, path)
        answer = await shop.request(method, filled(path, **things), json=body, headers=who | key)
        assert answer.status_code < 300 or answer.json()["code"] in IN_THE_WAY, answer.text


def body_of(world: dict[str, Any], method: str, path: str) -> Any:
    body = BODIES.get(f"{path.removeprefix(API)} {method}")
    return body | {"product_id": world["product"]} if body and "product_id" in body else body
