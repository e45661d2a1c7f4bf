"""When there is too much to do: who looks is told so at once, who pays is served, and the shop says that it lives."""

from __future__ import annotations

import pytest

from tests.client import Client
from tests.making import a_product
from tfmshop.platform.db import Database
from tfmshop.surface.http.edge.headers import API


@pytest.fixture
def flooded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place for those who look is taken, and has been for a while."""
    monkeypatch.setattr("tfmshop.platform.limits.Admission.hopeless", lambda self, first: not first)


async def test_who_looks_is_turned_away_at_once(shop: Client, flooded: None, queries) -> None:
    for method, path in (("GET", "products"), ("GET", "carts/mine"), ("POST", "carts"), ("GET", "/openapi.json")):
        answer = await shop.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded"), path
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        for name, value in API:
            assert answer.headers[name.decode()] == value.decode()
    assert (await shop.head("products")).content == b""
    assert queries.names == []


async def test_who_pays_is_served(shop: Client, db: Database, request: pytest.FixtureRequest) -> None:
    async with db.tx() as tx:
        lamp = await a_product(tx, stock=5)
    cart = await shop.cart_with((lamp, 1))
    request.getfixturevalue("flooded")
    assert (await shop.get("products")).status_code == 503
    assert (await shop.buy(cart)).status_code == 201


async def test_the_shop_says_that_it_lives(shop: Client, flooded: None) -> None:
    assert (await shop.get("/health/live")).status_code == 200
    assert (await shop.get("/health/ready")).status_code == 200
