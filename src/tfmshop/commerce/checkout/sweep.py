"""Finishing or releasing what a crash left between an order's two transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from tfmshop.commerce import orders
from tfmshop.commerce.checkout.release import release
from tfmshop.commerce.payments import Providers
from tfmshop.platform import clock
from tfmshop.platform.db import Database

PATIENCE = timedelta(minutes=2)
"""How long an order may be unpaid before it is looked after: longer than any payment may take."""


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    settled: int = 0
    released: int = 0


async def sweep(db: Database, providers: Providers, older_than: timedelta = PATIENCE) -> Swept:
    """Settle unpaid orders whose payment went through, release the others.

    Their customers were never told of success, so releasing breaks no promise; a request with the same key that comes
    later learns of it.
    """
    swept = Swept()
    async with db.read() as tx:
        waiting = await orders.unpaid(tx, older_than)
    for order_id, provider_name in waiting:
        provider = providers.named(provider_name)
        found = await provider.find(str(order_id))
        try:
            if found is not None:
                await _settle(db, order_id, found.reference)
                swept.settled += 1
            else:
                await provider.void(str(order_id))
                await db.transact(
                    partial(release, order_id=order_id, payment_status="voided", why="payment never arrived")
                )
                swept.released += 1
        except orders.CannotMove:
            continue
    return swept


async def _settle(db: Database, order_id: UUID, reference: str) -> None:
    async with db.read() as tx:
        await orders.settle(tx, order_id, orders.Paid(reference, clock.now(), "shop"))
