"""What payment companies tell of orders: often more than once, late, in any order."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID

import structlog

from tfmshop.commerce import orders
from tfmshop.commerce.checkout.money import (
    PROVIDER_SECONDS,
    as_payment,
    cancel,
    captured,
    let_go_of_cancelled,
    refund_came_back,
)
from tfmshop.commerce.checkout.release import release
from tfmshop.commerce.orders.paying import Payment
from tfmshop.commerce.payments import Failed, News, Notice, PaymentDeclined, PaymentUnknown, Providers
from tfmshop.platform import clock
from tfmshop.platform.db import Database, Tx

log = structlog.get_logger("checkout")


async def hear(db: Database, providers: Providers, name: str, notice: Notice | Failed) -> None:
    """Act on what the company of that name tells of a payment; however often, and in whatever order, it comes.

    News about orders that are not ours, or not that company's to speak of, are noted in the log and change nothing.
    """
    if isinstance(notice, Failed):
        await db.transact(partial(refund_came_back, provider=name, failed=notice))
        return
    due = await _due(db, notice.order_id)
    if due is None or due.provider != name or (due.reference and notice.reference not in ("", due.reference)):
        log.warning("news of a payment that is not theirs", provider=name, order_id=str(notice.order_id))
        return
    if notice.news is News.DECLINED:
        await _declined(db, providers, due)
        return
    await _authorized(db, due, notice)
    if notice.news is News.CAPTURED and notice.amount == due.total.amount:
        await db.transact(partial(captured, order_id=due.order_id, reference=notice.reference, amount=due.total))


async def _due(db: Database, order_id: UUID) -> Payment | None:
    async with db.read() as tx:
        try:
            return await orders.paying.look(tx, order_id)
        except orders.OrderNotFound:
            return None


async def _declined(db: Database, providers: Providers, due: Payment) -> None:
    """Release an unpaid order. One that is paid is cancelled only when the company, asked, holds nothing for it."""
    why = f"declined by {due.provider}"
    try:
        await db.transact(partial(release, order_id=due.order_id, payment_status="declined", why=why))
    except orders.CannotMove:
        now = await _due(db, due.order_id)
        if now is None or now.status == orders.OrderStatus.CANCELLED or now.state != "authorized":
            log.info("a late decline changes nothing", order_id=str(due.order_id))
            return
        if not await _still_holds(providers, now):
            await db.transact(partial(_give_up, order_id=due.order_id, why=f"{due.provider} holds the money no more"))


async def _still_holds(providers: Providers, due: Payment) -> bool:
    """Whether the company holds the money of an order. `PaymentUnknown` when it does not say."""
    try:
        held = await asyncio.wait_for(providers.named(due.provider).find(as_payment(due)), PROVIDER_SECONDS)
    except (TimeoutError, OSError, PaymentDeclined):
        raise PaymentUnknown from None
    return held is not None


async def _give_up(tx: Tx, *, order_id: UUID, why: str) -> None:
    """Cancel an order whose money is gone; of one that is on its way, staff must hear."""
    if (await orders.paying.look(tx, order_id, hold=True)).state != "authorized":
        return
    try:
        await cancel(tx, order_id, who="shop", why=why)
    except orders.CannotMove as refused:
        log.error("the goods are on their way and the money is gone", order_id=str(order_id), status=refused.status)


async def _authorized(db: Database, due: Payment, notice: Notice) -> None:
    try:
        async with db.read() as tx:
            if notice.amount != due.total.amount:
                raise orders.CannotMove(status=due.status, wanted="paid")
            paid = orders.paying.Paid(notice.reference, clock.now(), due.provider)
            await orders.paying.settle_one(tx, due.order_id, paid)
    except orders.CannotMove as refused:
        if refused.status == orders.OrderStatus.CANCELLED:
            await db.transact(partial(let_go_of_cancelled, order_id=due.order_id))
