"""Every truth is found broken when it is, and the others are not."""

from __future__ import annotations

import asyncpg
import pytest

from tests.journeys.test_offers import offer
from tests.making import a_product
from tfmshop.commerce import checkout, orders, promotions
from tfmshop.commerce.payments import captured
from tfmshop.platform.db import broken
from tfmshop.platform.db.truth import TRUTHS

COPY = """INSERT INTO orders.placed SELECT (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(),
    'number', 'COPY', 'payment_status', 'authorized', 'subtotal', 0, 'discount', 0, 'tax', 0, 'total', 0))).*
    FROM orders.placed AS o"""

PLANTED = {
    "every product has something to buy": "DELETE FROM catalog.variant",
    "a product's price is that of its first variant, and its codes are those of all":
        "UPDATE catalog.variant SET price = price + 1",
    "a category counts the products on sale in it": "UPDATE catalog.category SET products = products + 1",
    "a category's ancestors end with itself and start with its parent's":
        "UPDATE catalog.category SET ancestors = ARRAY[gen_random_uuid(), id] WHERE parent_id IS NOT NULL",
    "an order's subtotal is the sum of its lines":
        "UPDATE orders.placed SET subtotal = subtotal + 1, total = total + 1",
    "an order's discount is the sum of its lines', and its taxes at least theirs":
        "UPDATE orders.line SET discount = discount + 1",
    "what a line says was sent is in its parcels": "UPDATE orders.line SET shipped = 1",
    "what was received of a return is noted as come back":
        "WITH w AS (INSERT INTO orders.return SELECT gen_random_uuid(), order_id, 'received', '', '', now(), '', now() "
        "FROM orders.line RETURNING id, order_id) INSERT INTO orders.return_line SELECT id, order_id, 1, 1 FROM w",
    "invoices are numbered without a gap": "INSERT INTO orders.invoice_year VALUES (2026, 2)",
    "a status is the last step of its history": "UPDATE orders.placed SET status = 'packed'",
    "a published review is by someone who bought the product":
        "INSERT INTO reviews.review (id, product_id, customer_id, author, rating, title, body, status) "
        "SELECT gen_random_uuid(), id, gen_random_uuid(), 'A', 5, '', '', 'published' FROM catalog.product",
    "lists show what is on sale, as the catalogue has it": "DELETE FROM search.entry",
    "every order from a cart took its stock exactly once; what was cancelled or restocked is back":
        "DELETE FROM inventory.movement WHERE reason = 'sold'",
    "what was taken for an order is what it says it cost, and only paid orders were taken for":
        "UPDATE payments.capture SET amount = amount - 1",
    "a cart became one order at most": f"DROP INDEX orders.placed_cart; {COPY}",
    "no order waits longer than an hour for its payment":
        "UPDATE orders.placed SET status = 'placed', placed_at = now() - interval '2 hours'",
    "no promised money waits longer than an hour to be taken":
        "UPDATE orders.placed SET payment_status = 'authorized', updated_at = now() - interval '2 hours'",
    "no money of a cancelled order waits longer than an hour to be let go":
        "INSERT INTO jobs.pgqueuer (priority, created, entrypoint, payload, status) "
        "VALUES (0, now() - interval '2 hours', 'checkout.let_go', '{}', 'queued')",
    "what was taken for a cancelled order goes back":
        "UPDATE orders.placed SET status = 'cancelled'; UPDATE payments.capture SET amount = amount + 1",
    "no job failed for days and waits for somebody":
        "INSERT INTO jobs.pgqueuer (priority, entrypoint, payload, status) VALUES (0, 'news.letter', '{}', 'failed')",
    "no webhook that is switched on waits longer than an hour to be tried":
        "WITH e AS (INSERT INTO news.endpoint (id, url, topics, secret, created_at) "
        "VALUES (gen_random_uuid(), 'https://x', '{}', 'x', now()) RETURNING id), "
        "n AS (INSERT INTO news.event (number, topic, subject, data, at) "
        "VALUES (1, 'order.paid', gen_random_uuid(), '{}', now()) RETURNING number, subject) "
        "INSERT INTO news.delivery (endpoint_id, event_number, subject, changed_at, asked_at) "
        "SELECT id, number, subject, now() - interval '2 hours', now() - interval '2 hours' FROM e, n",
    "no buyer waits longer than an hour for money to be given back":
        "UPDATE payments.refund SET asked_at = now() - interval '2 hours'",
    "what is free and what is reserved is the sum of the movements":
        "UPDATE inventory.stock SET available = available + 1",
    "no reservation is long past its time":
        "INSERT INTO inventory.reservation "
        "SELECT variant_id, warehouse, gen_random_uuid(), 1, now() - interval '1 hour' FROM inventory.stock",
    "a limited offer was used as often as its orders say": "UPDATE promotions.offer SET used = used + 1",
    "no more units came back than were bought":
        "INSERT INTO orders.returned SELECT 'x', order_id, position, quantity + 1, 0, now() FROM orders.line",
    "no more was given back than was taken": "UPDATE payments.refund SET amount = amount + 100000",
    "nothing that happened waits longer than ten minutes to be told":
        "UPDATE jobs.event SET at = now() - interval '1 hour'",
    "no letter waits longer than an hour to be sent":
        "INSERT INTO news.letter VALUES ('x', 'shipped', 'a@b', gen_random_uuid(), '{}', now() - interval '2 hours')",
    "no job waits longer than ten minutes": "UPDATE jobs.pgqueuer SET execute_after = now() - interval '1 hour'",
}  # fmt: skip


async def test_every_truth_is_tried():
    assert {truth.sentence for truth in TRUTHS} == set(PLANTED)


@pytest.mark.parametrize("sentence", PLANTED)
async def test_what_is_wrong_is_found(busy_shop, wide_db, fresh_url, sentence):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, stock=10)
        await promotions.add(tx, offer(max_uses=5))
    bought = await busy_shop.buy(await busy_shop.cart_with((lamp, 2)))
    assert bought.status_code == 201, bought.text
    async with wide_db.tx() as tx:
        order = await orders.paying.look(tx, await orders.browse.id_of(tx, bought.json()["number"]))
        await orders.paying.mark(tx, order.order_id, "captured", of=["authorized"])
        await captured(tx, order.order_id, "fake", "ref", order.total)
        await checkout.ask_refund(tx, order.order_id, 5, who="staff", why="scratched")
        assert await broken(tx) == {}
    connection = await asyncpg.connect(fresh_url)
    await connection.execute(PLANTED[sentence])
    await connection.close()
    async with wide_db.read() as tx:
        assert sentence in await broken(tx)
