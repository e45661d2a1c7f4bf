"""Stock by warehouse, what is held for carts, what may be owed, and what runs low."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.making import new_product, some_products
from tfmshop.commerce import inventory
from tfmshop.commerce.inventory.errors import TooManyOwed, WarehouseNotFound
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Options, Query, Refused, broken, connect
from tfmshop.platform.jobs.queue import SCHEDULES

VARIANTS = Query("test.variants", "SELECT sku, variant_id FROM inventory.stock WHERE warehouse = 'main'")
LEVELS = Query("test.levels", "SELECT sku || '@' || warehouse, available FROM inventory.stock ORDER BY 1")
FALL = Query("test.fall", "UPDATE inventory.stock SET available = -1 WHERE sku = 'A'")
EXPIRE = Query("test.expire", "UPDATE inventory.reservation SET expires_at = now() - interval '1 second'")
LONG_AGO = Query("test.long_ago", "UPDATE inventory.reservation SET expires_at = now() - interval '1 hour'")
HELD = Query("test.held", "SELECT sum(quantity) FROM inventory.reservation")
TAKEN = Query(
    "test.units_taken",
    """
SELECT m.order_id, s.sku, -m.delta AS units FROM inventory.movement AS m
JOIN inventory.stock AS s ON s.variant_id = m.variant_id AND s.warehouse = m.warehouse WHERE m.order_id IS NOT NULL
""",
)
SOON = timedelta(minutes=10)


@pytest.fixture
async def goods(db) -> dict[str, UUID]:
    """Two variants: 5 of A in the main warehouse and 10 in Lyon, 3 of B in the main one."""
    async with db.tx() as tx:
        return await stocked(tx)


async def stocked(tx) -> dict[str, UUID]:
    await some_products(tx, new_product(sku="A", stock=5), new_product(sku="B", stock=3))
    await inventory.add_warehouse(tx, inventory.Warehouse("lyon", "Lyon", 10))
    await inventory.set_level(tx, "A", 10, "lyon")
    return {row[0]: row[1] for row in await tx.rows(VARIANTS)}


async def levels(db) -> dict[str, int]:
    async with db.read() as tx:
        assert await broken(tx) == {}
        return {row[0]: row[1] for row in await tx.rows(LEVELS)}


async def hold(db, cart: UUID, wanted: dict[UUID, int]) -> None:
    await db.transact(lambda tx: inventory.reserve(tx, cart, wanted, clock.now() + SOON))


async def take(tx, order: UUID, wanted: dict[UUID, int], *, cart_id: UUID) -> None:
    for short in (await inventory.take(tx, [inventory.Taking(order, cart_id, wanted)])).values():
        raise short


async def test_warehouses_give_in_their_order_and_get_back_what_they_gave(db, goods):
    order = ids.new()
    async with db.tx() as tx:
        await take(tx, order, {goods["A"]: 7, goods["B"]: 1}, cart_id=ids.new())
        assert {row[0]: row[1] for row in await tx.rows(LEVELS)} == {"A@main": 0, "A@lyon": 8, "B@main": 2}
        moved = [(m.warehouse, m.delta, m.reason) for m in await inventory.levels.history(tx, "A", 2)]
        assert sorted(moved) == [("lyon", -2, "sold"), ("main", -5, "sold")]
        await inventory.give_back(tx, order, {goods["A"]: 1})
        await inventory.give_back(tx, order, {goods["A"]: 99, goods["B"]: 1})
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 3}


async def test_all_or_none_of_an_order_is_taken(db, goods):
    with pytest.raises(inventory.OutOfStock) as short:
        await db.transact(lambda tx: take(tx, ids.new(), {goods["A"]: 15, goods["B"]: 4}, cart_id=ids.new()))
    assert (short.value.sku, short.value.free) == ("B", 3)
    with pytest.raises(inventory.OutOfStock):
        await db.transact(lambda tx: take(tx, ids.new(), {ids.new(): 1}, cart_id=ids.new()))
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 3}


async def test_orders_that_take_together_get_what_each_wants_and_can_give_it_back(db, goods):
    orders = [ids.new() for _ in range(3)]
    cart = ids.new()
    await hold(db, cart, {goods["A"]: 2})
    async with db.tx() as tx:
        takings = [inventory.Taking(order, cart if n == 1 else ids.new(), {goods["A"]: 4, goods["B"]: 1})
                   for n, order in enumerate(orders)]  # fmt: skip
        assert await inventory.take(tx, takings) == {}
    assert await levels(db) == {"A@main": 0, "A@lyon": 3, "B@main": 0}
    async with db.tx() as tx:
        rows = await tx.rows(TAKEN)
    assert {order: sum(row["units"] for row in rows if row["order_id"] == order and row["sku"] == "A")
            for order in orders} == dict.fromkeys(orders, 4)  # fmt: skip
    for order in orders:
        await db.transact(lambda tx, order=order: inventory.give_back(tx, order, {goods["A"]: 4, goods["B"]: 1}))
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 3}


async def test_a_variant_short_for_all_together_is_given_to_none_of_them(db, goods):
    orders = [ids.new() for _ in range(4)]
    wants = [{goods["B"]: 2}, {goods["B"]: 2}, {goods["A"]: 1}, {goods["A"]: 1, goods["B"]: 1}]
    async with db.tx() as tx:
        short = await inventory.take(
            tx, [inventory.Taking(order, ids.new(), want) for order, want in zip(orders, wants, strict=True)]
        )
        tx.roll_back()
    assert {orders.index(order): (error.sku, error.free) for order, error in short.items()} == {
        0: ("B", 3), 1: ("B", 3), 3: ("B", 3)
    }  # fmt: skip
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 3}


async def test_units_are_owed_only_as_far_as_was_chosen_and_only_when_nobody_has_any(db, goods):
    async with db.tx() as tx:
        await inventory.set_rules(tx, "A", "main", backorder_limit=4, low_at=None)
        await take(tx, ids.new(), {goods["A"]: 14}, cart_id=ids.new())
        assert {row[0]: row[1] for row in await tx.rows(LEVELS)} == {"A@main": 0, "A@lyon": 1, "B@main": 3}
        await take(tx, ids.new(), {goods["A"]: 3}, cart_id=ids.new())
    assert await levels(db) == {"A@main": -2, "A@lyon": 0, "B@main": 3}
    with pytest.raises(inventory.OutOfStock) as short:
        await db.transact(lambda tx: take(tx, ids.new(), {goods["A"]: 3}, cart_id=ids.new()))
    assert short.value.free == 2
    with pytest.raises(TooManyOwed):
        await db.transact(lambda tx: inventory.set_rules(tx, "A", "main", backorder_limit=1, low_at=None))
    with pytest.raises(WarehouseNotFound):
        await db.transact(lambda tx: inventory.set_rules(tx, "B", "lyon", backorder_limit=1, low_at=None))
    assert await levels(db) == {"A@main": -2, "A@lyon": 0, "B@main": 3}


async def test_the_database_refuses_to_owe_what_nobody_chose(db, goods):
    with pytest.raises(Refused):
        await db.transact(lambda tx: tx.execute(FALL))
    with pytest.raises(WarehouseNotFound):
        await db.transact(lambda tx: inventory.set_level(tx, "A", 1, "nowhere"))


async def test_what_is_held_for_a_cart_is_nobody_elses(db, goods):
    mine, other = ids.new(), ids.new()
    await hold(db, mine, {goods["A"]: 12, goods["B"]: 2})
    assert await levels(db) == {"A@main": 0, "A@lyon": 3, "B@main": 1}
    with pytest.raises(inventory.OutOfStock) as short:
        await hold(db, other, {goods["A"]: 4})
    assert short.value.free == 3
    await db.transact(lambda tx: take(tx, ids.new(), {goods["A"]: 12, goods["B"]: 2}, cart_id=mine))
    async with db.read() as tx:
        assert await tx.value(HELD) is None
    assert await levels(db) == {"A@main": 0, "A@lyon": 3, "B@main": 1}


async def test_holding_again_replaces_what_was_held(db, goods):
    cart = ids.new()
    await hold(db, cart, {goods["A"]: 6, goods["B"]: 3})
    await hold(db, cart, {goods["A"]: 15})
    assert await levels(db) == {"A@main": 0, "A@lyon": 0, "B@main": 3}
    await hold(db, cart, {goods["A"]: 1})
    assert await levels(db) == {"A@main": 4, "A@lyon": 10, "B@main": 3}
    await db.transact(lambda tx: inventory.release(tx, cart))
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 3}


async def test_reservations_end_by_the_clock_and_a_buyer_need_not_wait_for_it(db, goods):
    await hold(db, ids.new(), {goods["A"]: 15})
    await hold(db, ids.new(), {goods["B"]: 3})
    async with db.tx() as tx:
        await tx.execute(EXPIRE)
    await hold(db, ids.new(), {goods["B"]: 3})
    await SCHEDULES["inventory.release"].task(db)
    assert await levels(db) == {"A@main": 5, "A@lyon": 10, "B@main": 0}


async def test_a_reservation_that_nobody_released_is_found(db, goods):
    await hold(db, ids.new(), {goods["A"]: 1})
    async with db.tx() as tx:
        await tx.execute(LONG_AGO)
        assert await broken(tx) == {"no reservation is long past its time": ["A"]}


async def test_staff_are_told_once_when_something_runs_low(db, goods):
    await SCHEDULES["inventory.low"].task(db)
    async with db.tx() as tx:
        await take(tx, ids.new(), {goods["A"]: 11}, cart_id=ids.new())
    for expected in ([(1, ["A in lyon: 4"])], []):
        with capture_logs() as heard:
            await SCHEDULES["inventory.low"].task(db)
        assert [(line["levels"], line["lowest"]) for line in heard] == expected
    async with db.tx() as tx:
        listed = await inventory.levels.listed(tx, 10**9, 10, low=True)
        assert [(one.sku, one.warehouse) for one in listed] == [("A", "main"), ("B", "main"), ("A", "lyon")]
        await inventory.set_rules(tx, "A", "lyon", backorder_limit=None, low_at=3)
        await inventory.set_level(tx, "B", 100)
        assert [one.sku for one in await inventory.levels.listed(tx, 10**9, 10, low=True)] == ["A"]


async def test_buyers_who_come_at_once_get_what_there_is_and_no_more(fresh_url):
    db = await connect(fresh_url, Options(maximum=8, acquire_seconds=60))
    source = random.Random(7)
    try:
        goods = await db.transact(stocked)
        outcomes: list[dict[UUID, int]] = []

        async def buyer(number: int) -> None:
            cart, order = ids.new(), ids.new()
            wanted = {variant: source.randint(1, 2) for variant in source.sample(list(goods.values()), 2)}
            try:
                if number % 2:
                    await hold(db, cart, wanted)
                    if number % 3 == 0:
                        await db.transact(lambda tx: inventory.release(tx, cart))
                        return
                await db.transact(lambda tx: take(tx, order, wanted, cart_id=cart))
            except inventory.OutOfStock:
                return
            outcomes.append(wanted)
            if number % 5 == 0:
                await db.transact(lambda tx: inventory.give_back(tx, order, wanted))
                outcomes.remove(wanted)

        for _ in range(3):
            await asyncio.gather(*[buyer(number) for number in range(40)])
        left = await levels(db)
        sold = {sku: sum(wanted[variant] for wanted in outcomes) for sku, variant in goods.items()}
        assert sold == {"A": 15 - left["A@main"] - left["A@lyon"], "B": 3 - left["B@main"]}
        assert min(left.values()) >= 0
        assert left["B@main"] <= 1
    finally:
        await db.close()
