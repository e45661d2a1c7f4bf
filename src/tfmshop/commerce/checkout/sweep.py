"""Finishing or releasing what a crash left between an order's two transactions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from tfmshop.commerce import orders
from tfmshop.commerce.checkout.money import FREE, PROVIDER_SECONDS, as_payment
from tfmshop.commerce.checkout.release import let_go, release
from tfmshop.commerce.payments import Authorization, Providers
from tfmshop.platform import clock
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe.metrics import Counter

log = structlog.get_logger("checkout")
SWEPT = Counter(
    "tfmshop_checkout_swept_total",
    "Orders that a crash or a silent company left: settled (paid, nobody had heard), released (not paid), put_off.",
    "outcome",
)

PATIENCE: Final = timedelta(minutes=2)
"""How long an order may be unpaid before it is looked after: longer than any payment may take."""
CHALLENGE: Final = timedelta(minutes=30)
"""How long a buyer has at the provider's page."""


@dataclass(slots=True)
class Swept:
    """What a sweep did; `put_off` are orders whose provider could not be asked, or could not answer for them: they wait
    for the next sweep.
    """

    settled: int = 0
    released: int = 0
    put_off: int = 0

    def count(self) -> None:
        """Add it to the metrics."""
        for outcome in ("settled", "released", "put_off"):
            SWEPT.of(outcome).add(getattr(self, outcome))


async def sweep(
    db: Database, providers: Providers, older_than: timedelta = PATIENCE, challenged: timedelta = CHALLENGE
) -> Swept:
    """Settle unpaid orders whose payment went through, release the others; neither a silent provider nor an order that
    its provider chokes on stops the rest.

    An order is released only while it is unpaid, so that nobody was told of success; a request with the same key that
    comes later learns of it. A payment that arrives after its order was released is let go.
    """
    swept = Swept()
    try:
        await _sweep(db, providers, older_than, challenged, swept)
    finally:
        swept.count()
    return swept


async def _sweep(
    db: Database, providers: Providers, older_than: timedelta, challenged: timedelta, swept: Swept
) -> None:
    silent: set[str] = set()
    stuck: list[UUID] = []
    while True:
        async with db.read() as tx:
            waiting = await orders.paying.unpaid(tx, older_than, sorted(silent), stuck, challenged=challenged)
        if not waiting:
            return
        for due in waiting:
            if due.provider in silent:
                continue
            try:
                await _look_after(db, providers, due, swept)
            except orders.CannotMove:
                continue
            except (OSError, TimeoutError) as error:
                silent.add(due.provider)
                swept.put_off += 1
                log.warning("a payment company is silent", provider=due.provider, error=repr(error))
            except ShopError as error:
                stuck.append(due.order_id)
                swept.put_off += 1
                log.warning("an unpaid order cannot be cleared up", order_id=str(due.order_id), error=str(error))


async def _look_after(db: Database, providers: Providers, due: orders.paying.Payment, swept: Swept) -> None:
    found: Authorization | None = Authorization(FREE, due.total)
    if due.total.amount:
        found = await asyncio.wait_for(providers.named(due.provider).find(as_payment(due)), PROVIDER_SECONDS)
    if found is not None:
        await _settle(db, due.order_id, found.reference)
        swept.settled += 1
    else:
        await db.transact(partial(_release, order_id=due.order_id))
        swept.released += 1


async def _settle(db: Database, order_id: UUID, reference: str) -> None:
    async with db.read() as tx:
        await orders.paying.settle_one(tx, order_id, orders.paying.Paid(reference, clock.now(), "shop"))


async def _release(tx: Tx, order_id: UUID) -> None:
    await release(tx, order_id, payment_status="voided", why="payment never arrived")
    await let_go(tx, order_id)
