"""Buyers who give up beside buyers who buy: everybody locks in one order, so that nobody has to be killed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.client import ADDRESS
from tests.journeys.test_offers import offer
from tests.making import a_product
from tfmshop.commerce import promotions
from tfmshop.platform.db import broken

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
SECONDS = 0.3
"""Long enough for a request to come as far as a row that somebody holds."""


@pytest.fixture
async def lamp(wide_db) -> str:
    async with wide_db.tx() as tx:
        await promotions.add(tx, offer("BOTH", max_uses=100, max_uses_per_customer=50))
        await promotions.add(tx, offer(name="Automatic", priority=-1, max_uses_per_customer=50))
        return await a_product(tx, price=1000, stock=100)


@asynccontextmanager
async def holding(url: str, rows: str):
    """Somebody holds these rows until the end; deadlocks that there were since are an error."""
    connection = await asyncpg.connect(url)
    before = await connection.fetchval(DEADLOCKS)
    held = connection.transaction()
    await held.start()
    await connection.execute(f"SELECT FROM {rows} FOR UPDATE")

    async def let_go(*waiting: asyncio.Task):
        await held.rollback()
        answers = await asyncio.gather(*waiting)
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await asyncio.sleep(1.1)  # PostgreSQL tells its statistics once a second
        assert await connection.fetchval(DEADLOCKS) == before
        return answers

    yield let_go
    await connection.close()


async def soon(coroutine) -> asyncio.Task:
    """Begin, and wait until it is likely to stand before the held row."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(SECONDS)
    return task


async def _cart(shop, who, lamp) -> str:
    mine = (await shop.get("carts/mine", headers=who)).json()["id"]
    await shop.post(f"carts/{mine}/lines", json={"product_id": lamp, "quantity": 1}, headers=who)
    return mine


async def _order(shop, who, cart, token):
    body = {"payment": {"provider": "fake", "token": token}, "address": ADDRESS}
    return await shop.post(f"carts/{cart}/checkout", json=body, headers=who | {"Idempotency-Key": cart})


async def test_an_order_is_given_up_while_the_cart_after_it_is_ordered(busy_shop, wide_db, fresh_url, lamp):
    who = await busy_shop.sign_in("ada@example.com")
    asked = (await _order(busy_shop, who, await _cart(busy_shop, who, lamp), "challenge")).json()
    newer = await _cart(busy_shop, who, lamp)
    async with holding(fresh_url, "inventory.stock") as let_go:
        given_up = await soon(busy_shop.post(f"orders/{asked['order_id']}/cancel", headers=who))
        bought = await soon(_order(busy_shop, who, newer, "ok"))
        answers = await let_go(given_up, bought)
    assert [answer.status_code for answer in answers] == [200, 201], answers[1].text
    assert answers[1].json()["lines"][0]["quantity"] == 1, "nobody buys what they did not see"
    async with wide_db.read() as tx:
        assert await broken(tx) == {}


@pytest.mark.parametrize("buyer_first", [True, False])
async def test_a_coupon_comes_back_while_it_is_used(busy_shop, wide_db, fresh_url, lamp, buyer_first):
    async def cart():
        made = await busy_shop.cart_with((lamp, 1))
        owner = {"Cart-Token": made["token"]}
        assert (await busy_shop.put(f"carts/{made['id']}/coupon", json={"code": "BOTH"}, headers=owner)).is_success
        return made

    first, second = (await busy_shop.buy(await cart())).json(), await cart()
    cancel = busy_shop.post(f"orders/{first['id']}/cancel", headers={"Order-Token": first["token"]})
    async with holding(fresh_url, "promotions.offer") as let_go:
        both = [busy_shop.buy(second), cancel] if buyer_first else [cancel, busy_shop.buy(second)]
        answers = await let_go(*[await soon(one) for one in both])
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    async with wide_db.read() as tx:
        assert await broken(tx) == {}


async def test_what_goes_into_a_guests_cart_while_it_is_brought_along_comes_along(busy_shop, fresh_url, lamp):
    guests = await busy_shop.cart_with((lamp, 1))
    owner = {"Cart-Token": guests["token"]}
    who = await busy_shop.sign_in("ada@example.com")
    await busy_shop.get("carts/mine", headers=who)
    async with holding(fresh_url, "cart.cart") as let_go:
        line = {"product_id": lamp, "quantity": 4}
        added = await soon(busy_shop.post(f"carts/{guests['id']}/lines", json=line, headers=owner))
        wish = {"cart_id": guests["id"]}
        merged = await soon(busy_shop.post("carts/mine/merge", json=wish, headers=who | owner))
        answers = await let_go(added, merged)
    assert [answer.status_code for answer in answers] == [201, 200], answers[1].text
    assert [one["quantity"] for one in answers[1].json()["lines"]] == [5]


async def test_a_cart_takes_no_other_currency_while_something_goes_into_it(busy_shop, fresh_url, lamp):
    who = await busy_shop.sign_in("ada@example.com")
    mine = (await busy_shop.get("carts/mine", headers=who)).json()["id"]
    async with holding(fresh_url, "cart.cart") as let_go:
        added = await soon(busy_shop.post(f"carts/{mine}/lines", json={"product_id": lamp}, headers=who))
        turned = await soon(busy_shop.get("carts/mine?currency=EUR", headers=who))
        await let_go(added, turned)
    now = (await busy_shop.get("carts/mine", headers=who)).json()
    assert (now["currency"], len(now["lines"])) == ("USD", 1)
