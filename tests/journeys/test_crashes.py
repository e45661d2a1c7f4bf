"""The shop dies between every two steps of a checkout; the sweeper comes, and everything is one thing or the other."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.crash import POINTS
from tests.journeys.test_money import work_off
from tests.journeys.test_offers import offer
from tests.making import a_product, moved_by
from tests.processes import LAUNCHER, environment
from tests.servers import REDIS
from tfmshop.commerce import checkout, promotions
from tfmshop.commerce.payments import FakeProvider
from tfmshop.platform.db import Query, broken

STATE = Query("test.crash_state", """
SELECT c.status AS cart, (SELECT sum(available)::int FROM inventory.stock) AS shelf,
    (SELECT used::int FROM promotions.offer) AS used,
    (SELECT json_agg(json_build_array(o.status, o.payment_status))::text FROM orders.placed AS o
        WHERE o.cart_id = c.id AND o.status <> 'cancelled') AS orders,
    (SELECT count(*)::int FROM payments.capture) AS captures
FROM cart.cart AS c WHERE c.id = $1
""")  # fmt: skip
KEYS = Query("test.crash_keys", "SELECT id::text FROM orders.placed WHERE cart_id = $1")
AGE = Query("test.crash_age", "UPDATE platform.idempotency_key SET leased_until = now()")
PAID = ("ordered", 8, 1, '[["paid", "captured"]]', 1)
RELEASED = ("open", 10, 0, None, 0)


@pytest.mark.parametrize("point", POINTS)
async def test_dead_at_any_point_ends_in_one_of_two(busy_shop, wide_db, fresh_url, tmp_path, point):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
        await promotions.add(tx, offer(max_uses=5))
    cart = await busy_shop.cart_with((lamp, 2))
    key = uuid4().hex
    arguments = [point, fresh_url, str(tmp_path), cart["id"], cart["token"], key]
    needed = environment(REDIS_URL=os.environ[REDIS])
    ended = await asyncio.to_thread(LAUNCHER.run, "tests.crash", *arguments, cwd=tmp_path, environment=needed)
    assert ended.returncode == (0 if point == "never" else -signal.SIGKILL), ended.stderr
    company = FakeProvider(tmp_path / "journal.jsonl")
    await checkout.sweep(wide_db, moved_by(fake=company), timedelta(0))
    await work_off(wide_db)
    async with wide_db.tx() as tx:
        found = tuple(await tx.row(STATE, UUID(cart["id"])))
        made = [row[0] for row in await tx.rows(KEYS, UUID(cart["id"]))]
        assert await broken(tx) == {}
        await tx.execute(AGE)
    assert found in {PAID, RELEASED}
    money = [company.taken(order) for order in made]
    assert money == ([1800] if found == PAID else [0] * len(made))
    again = await busy_shop.buy(cart, key=key)
    if found == PAID:
        assert (again.status_code, again.json()["id"]) == (201, made[0])
    else:
        assert again.status_code == 201 if not made else again.json()["code"] == "checkout_expired"
    print(f"\nkilled after {point}: {'paid and placed once' if found == PAID else 'everything released'}")  # noqa: T201
