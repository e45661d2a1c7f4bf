"""Stories of buyers who come at the same moment: they share a transaction, and nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest

from tests.journeys.test_buying import state
from tests.making import a_product, new_product, some_products
from tfmshop.commerce.checkout.till import _fairly
from tfmshop.platform.errors import TookTooLong

BUYERS = 30
PLACED = ("platform.begin_key", "cart.close", "orders.place", "inventory.take", "orders.settle")


@pytest.fixture
async def lamp(wide_db) -> str:
    async with wide_db.tx() as tx:
        return await a_product(tx, price=1000, stock=1000)


async def test_thirty_buyers_share_statements_and_each_gets_the_own_order(busy_shop, wide_db, queries, lamp):
    carts = [await busy_shop.cart_with((lamp, n + 1)) for n in range(BUYERS)]
    queries.clear()
    answers = await asyncio.gather(*[busy_shop.buy(cart) for cart in carts])
    ran = Counter(queries.names)
    assert [answer.status_code for answer in answers] == [201] * BUYERS
    assert [answer.json()["lines"][0]["quantity"] for answer in answers] == list(range(1, BUYERS + 1))
    assert len({answer.json()["number"] for answer in answers}) == BUYERS
    assert set(ran) == set(PLACED)
    assert max(ran.values()) <= BUYERS // 2, ran
    for answer in answers:
        order = answer.json()
        seen = await busy_shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
        assert seen.json() == {key: value for key, value in order.items() if key != "token"}
    assert await state(wide_db) == (1000 - sum(range(1, BUYERS + 1)), {"paid": BUYERS})


async def test_one_that_cannot_be_placed_changes_nothing_for_its_neighbours(busy_shop, wide_db, lamp):
    async with wide_db.tx() as tx:
        (rare,) = await some_products(tx, new_product(price=500, stock=1))
    good = [await busy_shop.cart_with((lamp, 1)) for _ in range(20)]
    rivals = [await busy_shop.cart_with((rare, 1), (lamp, 1)) for _ in range(3)]
    wrong, empty = await busy_shop.cart_with((lamp, 1)), await busy_shop.cart_with()
    ordered = await busy_shop.cart_with((lamp, 1))
    assert (await busy_shop.buy(ordered)).status_code == 201
    answers = await asyncio.gather(
        *[busy_shop.buy(cart) for cart in good],
        busy_shop.buy(wrong, expected_total=1),
        busy_shop.buy(empty),
        busy_shop.buy(ordered),
        busy_shop.buy({"id": str(uuid4()), "token": "x"}),
        *[busy_shop.buy(cart) for cart in rivals],
    )
    assert [answer.status_code for answer in answers[:20]] == [201] * 20
    assert [answer.json()["code"] for answer in answers[20:24]] == [
        "price_changed", "cart_empty", "cart_ordered", "cart_not_found",
    ]  # fmt: skip
    assert sorted(answer.status_code for answer in answers[24:]) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers[24:] if answer.status_code == 409} == {"out_of_stock"}
    assert await state(wide_db) == (1000 - 22, {"paid": 22})
    for cart in (wrong, *[rivals[n] for n in range(3) if answers[24 + n].status_code == 409]):
        kept = (await busy_shop.get(f"carts/{cart['id']}", headers={"Cart-Token": cart["token"]})).json()
        assert (kept["status"], kept["email"], kept["address"]) == ("open", None, None)


async def test_the_same_key_and_the_same_cart_never_meet_in_one_transaction(busy_shop, wide_db, lamp):
    cart, other = await busy_shop.cart_with((lamp, 1)), await busy_shop.cart_with((lamp, 1))
    answers = await asyncio.gather(
        *[busy_shop.buy(cart, key="same") for _ in range(5)], *[busy_shop.buy(other, key=f"k{n}") for n in range(5)]
    )
    assert [answer.status_code for answer in answers].count(201) >= 2
    assert {answer.json()["code"] for answer in answers if answer.status_code != 201} <= {
        "request_in_progress", "cart_ordered",
    }  # fmt: skip
    assert await state(wide_db) == (998, {"paid": 2})


async def test_a_cart_that_somebody_holds_keeps_only_its_own_buyer_waiting(busy_shop, wide_db, fresh_url, lamp):
    held = await busy_shop.cart_with((lamp, 1))
    carts = [await busy_shop.cart_with((lamp, 1)) for _ in range(10)]
    somebody = await asyncpg.connect(fresh_url)
    async with somebody.transaction():
        await somebody.execute("SELECT FROM cart.cart WHERE id = $1 FOR UPDATE", held["id"])
        answers = await asyncio.gather(*[busy_shop.buy(one) for one in (held, *carts)])
    await somebody.close()
    assert [answer.status_code for answer in answers] == [503, *[201] * 10]
    assert answers[0].json()["code"] == "took_too_long"
    assert await state(wide_db) == (990, {"paid": 10})


@pytest.mark.parametrize("late", [1, 2])
async def test_whose_turn_came_too_late_has_one_more(late):
    tries = []

    async def work(wanted):
        tries.append(wanted)
        if len(tries) <= late:
            raise TookTooLong
        return ["done"] * len(wanted)

    (found,) = await _fairly(work, ["an order"])
    assert len(tries) == 2
    assert found == "done" if late == 1 else isinstance(found, TookTooLong)
