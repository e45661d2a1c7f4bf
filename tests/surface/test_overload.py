"""When there is too much to do: who looks is told so at once, who pays is served, and the shop says that it lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest

from tests.client import Client
from tests.making import a_product
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database
from tfmshop.platform.limits import Admission, Line
from tfmshop.surface.http.edge.headers import API


@asynccontextmanager
async def flood(shop: Client) -> AsyncIterator[Admission]:
    """Every place for those who look is taken, and has been for a while; their number stays."""
    admission = shop._transport.app._admission
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(admission.place(Line.OTHERS))
        admission._next.cancel()
        admission.places, admission._flooded, admission._refused_at = 10.0, True, monotonic() + 60
        yield admission
        admission._flooded = False


@pytest.fixture
async def flooded(shop: Client) -> AsyncIterator[Admission]:
    """A flood from the beginning."""
    async with flood(shop) as admission:
        yield admission


async def test_who_looks_is_turned_away_at_once(shop: Client, flooded: Admission, queries) -> None:
    for method, path in (("GET", "products"), ("GET", "carts/mine"), ("POST", "carts"), ("GET", "/openapi.json")):
        answer = await shop.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded"), path
        assert answer.headers["retry-after"] == "1"
        assert "strict-transport-security" not in answer.headers
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        for name, value in API:
            assert answer.headers[name.decode()] == value.decode()
    assert (await shop.head("products")).content == b""
    assert set(queries.names) <= {"platform.most_asked"}, "but for what is made at the start"


async def test_who_pays_is_served(shop: Client, db: Database) -> None:
    async with db.tx() as tx:
        lamp = await a_product(tx, stock=5)
    cart = await shop.cart_with((lamp, 1))
    async with flood(shop):
        assert (await shop.get("carts/mine")).status_code == 503
        assert (await shop.buy(cart)).status_code == 201


async def test_over_https_browsers_are_told_to_stay_there(shop: Client, flooded: Admission) -> None:
    answer = await shop.get("https://shop.test/api/v1/carts/mine", headers={"X-Request-Id": "given-id-1"})
    assert answer.status_code == 503
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["x-request-id"] == "given-id-1"


async def test_a_browser_that_asks_beforehand_is_answered(shop: Client, flooded: Admission) -> None:
    asked = {"Origin": "https://front.example", "Access-Control-Request-Method": "POST"}
    answer = await shop.request("OPTIONS", f"carts/{uuid4()}/checkout", headers=asked)
    assert answer.status_code == 204


async def test_who_only_says_that_they_pay_does_not_come_first(shop: Client, flooded: Admission) -> None:
    for path in ("nonsense/checkout", "payments/webhook", "payments/fake/webhook/more"):
        assert (await shop.post(path, json={})).status_code == 503


async def test_what_a_payment_company_tells_waits_for_a_place(shop: Client) -> None:
    async with flood(shop):
        told = asyncio.create_task(shop.post("payments/fake/webhook", json={}))
        await asyncio.sleep(0.2)
        assert not told.done()
    assert (await told).json()["code"] == "webhook_signature_invalid"


async def test_it_is_no_flood_when_only_payers_wait(flooded: Admission) -> None:
    flooded._refused_at = monotonic() - 2
    flooded._full = True
    flooded._look()
    assert not flooded._flooded


async def test_the_shop_says_that_it_lives(shop: Client, flooded: Admission) -> None:
    assert (await shop.get("/health/live")).status_code == 200
    assert (await shop.get("/health/ready")).status_code == 200
