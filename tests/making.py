"""Builders with sensible defaults: a_product(), some_products()."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from tfmshop.commerce import catalog, checkout, inventory
from tfmshop.commerce.payments import Provider, Providers
from tfmshop.platform.db import Database, Query, Tx
from tfmshop.platform.jobs.queue import HANDLERS, SCHEDULES

TAKE_MONEY = Query(
    "test.take_money",
    """
WITH taken AS (UPDATE orders.placed SET payment_status = 'captured' WHERE payment_status = 'authorized' RETURNING *)
INSERT INTO payments.capture (order_id, provider, reference, amount, currency)
SELECT id, payment_provider, payment_reference, total, currency FROM taken""",
)
_numbers = count(1)

VERIFY = Query("test.verify", "UPDATE accounts.customer SET verified_at = created_at WHERE email = $1")


def new_product(**changes: Any) -> catalog.NewProduct:
    """A product that is not in the shop yet."""
    number = next(_numbers)
    given = {"sku": f"SKU-{number}", "external_id": f"ext-{number}", "title": f"Lamp {number}", "price": 1999,
             "currency": "USD", "brand": "Halden", "category": ("Lighting", "Lamps"), "stock": 10,
             "specifications": {"colour": "black", "watts": 40}, "tags": ["lamp"]}  # fmt: skip
    return catalog.NewProduct(**(given | changes))


async def some_products(tx: Tx, *products: catalog.NewProduct) -> list[str]:
    """Put products with their stock into the shop; their ids as text."""
    loaded = await catalog.Loader().load(tx, list(products))
    made = [one for one in loaded if not isinstance(one, str)]
    assert len(made) == len(products), loaded
    await inventory.set_levels(
        tx,
        [inventory.Level(v, one.product_id, sku, n) for one in made for v, (sku, n) in one.stock.items()],
    )
    return [str(one.product_id) for one in made]


async def a_product(tx: Tx, **changes: Any) -> str:
    """One product in the shop; its id as text."""
    return (await some_products(tx, new_product(**changes)))[0]


async def take_money(db: Database) -> None:
    """As the job runner does it: the money of every paid order is taken."""
    async with db.tx() as tx:
        await tx.execute(TAKE_MONEY)


def moved_by(**companies: Provider) -> Providers:
    """The payment companies whose money the jobs of this process move from now on."""
    for name in ("checkout.let_go", "payments.capture", "payments.refund"):
        HANDLERS.pop(name, None)
    for name in ("checkout.sweep", "checkout.forget"):
        SCHEDULES.pop(name, None)
    providers = Providers(**companies)
    checkout.schedule_all(providers, timedelta(hours=1))
    return providers


async def verified(db: Database, email: str) -> None:
    """Have a person's address count as verified, as after the link in the letter."""
    async with db.tx() as tx:
        assert await tx.execute(VERIFY, email)
