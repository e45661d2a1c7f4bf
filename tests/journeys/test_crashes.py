"""The shop dies between every two steps of a purchase; the sweeper comes, and everything is one thing or the other."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.crash import STORIES, TOKENS
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
TOLD = Query("test.crash_told", "SELECT topic, count(*)::int FROM news.event GROUP BY topic")
LETTERS = Query(
    "test.crash_letters", "SELECT kind, count(*)::int FROM news.letter WHERE sent_at IS NOT NULL GROUP BY 1"
)
PAID = ("ordered", 8, 1, '[["paid", "captured"]]', 1)
RELEASED = ("open", 10, 0, None, 0)
RETURNED = ("ordered", 10, 0, None, 1)
ENDS = {"paid": {PAID, RELEASED}, "declined": {RELEASED}, "approved": {PAID, RELEASED}, "refused": {RELEASED},
        "given_up": {RELEASED}, "cancelled": {PAID, RETURNED}}  # fmt: skip
"""How each story may end, wherever it was cut off."""
MONEY, NEWS = {PAID: 1800, RELEASED: 0, RETURNED: 0}, {"order.paid": "confirmation", "order.cancelled": "cancelled",
                                                       "order.refunded": "refunded"}  # fmt: skip

WORDS = {PAID: "paid and placed once", RELEASED: "everything released", RETURNED: "everything given back"}


@pytest.mark.parametrize(("story", "point"), [(story, point) for story, points in STORIES.items() for point in points])
async def test_dead_at_any_point_ends_in_one_way_or_the_other(busy_shop, wide_db, fresh_url, tmp_path, story, point):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
        await promotions.add(tx, offer(max_uses=5))
    cart = await busy_shop.cart_with((lamp, 2))
    key = uuid4().hex
    arguments = [story, point, fresh_url, str(tmp_path), cart["id"], cart["token"], key]
    needed = environment(REDIS_URL=os.environ[REDIS])
    ended = await asyncio.to_thread(LAUNCHER.run, "tests.crash", *arguments, cwd=tmp_path, environment=needed)
    assert ended.returncode == (0 if point == "never" else -signal.SIGKILL), ended.stderr
    company = FakeProvider(tmp_path / "journal.jsonl")
    await checkout.sweep(wide_db, moved_by(fake=company), timedelta(0), challenged=timedelta(0))
    await work_off(wide_db)
    async with wide_db.tx() as tx:
        found = tuple(await tx.row(STATE, UUID(cart["id"])))
        made = [row[0] for row in await tx.rows(KEYS, UUID(cart["id"]))]
        told, letters = [dict(map(tuple, await tx.rows(query))) for query in (TOLD, LETTERS)]
        assert await broken(tx) == {}
        await tx.execute(AGE)
    assert found in ENDS[story]
    assert [company.taken(order) for order in made] == [MONEY[found]] * len(made)
    assert [company.promised(order) is not None for order in made] == [found != RELEASED] * len(made)
    assert told.keys() >= ({"order.paid"} if found != RELEASED else set())
    assert letters == {NEWS[topic]: 1 for topic in told}
    assert set(told.values()) <= {1}
    again = await busy_shop.buy(cart, key=key, token=TOKENS.get(story, "ok"))
    if found == PAID:
        assert (again.status_code, again.json()["id"]) == (201, made[0])
    elif found == RETURNED or not made:
        assert again.status_code == 201
    else:
        assert again.json()["code"] in {"checkout_expired", "payment_declined"}
    print(f"\n{story}, killed after {point}: {WORDS[found]}")  # noqa: T201
