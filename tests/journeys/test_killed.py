"""The server is killed in the middle of 200 orders: every acknowledged order is there, once, and stock adds up."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.making import new_product, some_products
from tests.processes import call, free_port, kill_group, serving
from tfmshop.commerce import checkout, orders
from tfmshop.commerce.payments import FakeProvider, Providers
from tfmshop.platform.db import Database, Query, broken

ORDERS = 200
KILLS = 3
UNITS = 1000
BODY = {"payment": {"provider": "fake", "token": "ok"}, "email": "k@example.com",
        "address": {"name": "K", "line1": "1 Road", "city": "Lyon", "country": "FR"}}  # fmt: skip

PER_CART = Query("test.per_cart", "SELECT cart_id::text, count(*)::int, min(id::text), min(status) FROM orders.placed"
                 " WHERE status <> 'cancelled' GROUP BY cart_id")  # fmt: skip
SHELF = Query("test.shelf", "SELECT sum(available)::int FROM inventory.stock")
SOLD = Query("test.sold", "SELECT coalesce(sum(quantity), 0)::int FROM orders.bought WHERE status <> 'cancelled'")
AGE = Query("test.age", "UPDATE platform.idempotency_key SET leased_until = now()")
AT_WORK = Query("test.at_work", "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'")  # fmt: skip


class Buyer:
    """Fills a cart and orders it with one key until the shop says yes; keeps what it was told."""

    def __init__(self, api: str, products: list[str]) -> None:
        self.api = api
        self.products = products
        self.acknowledged: dict[str, str] = {}
        self.attempts = 0
        self._lock = threading.Lock()

    def buy(self, number: int) -> None:
        cart = self._until({201}, f"{self.api}/carts", {})
        headers = {"Cart-Token": cart["token"]}
        for product in (self.products[number % 5], self.products[(number + 1) % 5]):
            line = {"product_id": product, "quantity": 1}
            self._until({201}, f"{self.api}/carts/{cart['id']}/lines", line, headers)
        headers["Idempotency-Key"] = f"key {number}"
        order = self._until({201}, f"{self.api}/carts/{cart['id']}/checkout", BODY, headers)
        with self._lock:
            self.acknowledged[cart["id"]] = order["id"]

    def _until(self, wanted: set[int], url: str, body: object, headers: dict[str, str] | None = None) -> Any:
        deadline = time.monotonic() + 60
        while True:
            self.attempts += 1
            try:
                status, answer = call(url, body, headers, "POST")
                if status in wanted:
                    return answer
                assert status in {409, 503}, answer
                assert status == 503 or answer["code"] == "request_in_progress", answer
            except (OSError, ValueError):
                pass
            assert time.monotonic() < deadline, "the shop never said yes"
            time.sleep(0.1)


async def _nobody_at_work(db: Database) -> None:
    """Wait until the database is done with what the killed server had asked of it."""
    async with asyncio.timeout(60), db.read() as tx:
        while await tx.value(AT_WORK):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)


async def test_kill_9_during_200_orders(fresh_url, wide_db, tmp_path: Path):
    async with wide_db.tx() as tx:
        products = await some_products(tx, *[new_product(stock=UNITS) for _ in range(5)])
    port = free_port()
    buyer = Buyer(f"http://127.0.0.1:{port}/api/v1", products)
    killed_at: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        orders_made = [pool.submit(buyer.buy, number) for number in range(ORDERS)]
        for kill in range(KILLS + 1):
            with serving(fresh_url, tmp_path, port) as server:
                last = kill == KILLS
                while len(buyer.acknowledged) < (ORDERS if last else (kill + 1) * ORDERS // (KILLS + 1)):
                    failed = [made.exception() for made in orders_made if made.done() and made.exception()]
                    assert not failed, failed[0]
                    await asyncio.sleep(0.005)
                killed_at.append(len(buyer.acknowledged))
                kill_group(server)
            if not last:
                await _nobody_at_work(wide_db)
                async with wide_db.tx() as tx:
                    await tx.execute(AGE)
        for made in orders_made:
            made.result()
    swept = await checkout.sweep(wide_db, Providers(fake=FakeProvider()), checkout.PATIENCE * 0)
    async with wide_db.read() as tx:
        live = {row[0]: tuple(row)[1:] for row in await tx.rows(PER_CART)}
        shelf, sold = await tx.value(SHELF), await tx.value(SOLD)
        assert await broken(tx) == {}
    assert len(buyer.acknowledged) == ORDERS
    assert live == {cart: (1, order, orders.OrderStatus.PAID) for cart, order in buyer.acknowledged.items()}
    assert sold >= 2 * ORDERS  # a line that was added when the answer was lost is added again by the retry
    assert shelf + sold == 5 * UNITS
    print(  # noqa: T201 - the figures are the point
        f"\nkilled at {killed_at[:-1]} of {ORDERS} acknowledged orders, {buyer.attempts} requests; "
        f"{len(live)} orders, one a cart; {shelf} on the shelf + {sold} sold = {5 * UNITS}; swept {swept}"
    )
