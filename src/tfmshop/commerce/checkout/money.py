"""What happens to the money of an order after it was promised: taken, given back, let go."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from tfmshop.commerce import cart, inventory, orders, payments, promotions
from tfmshop.commerce.checkout.errors import CannotRefund
from tfmshop.commerce.checkout.release import let_go
from tfmshop.commerce.payments import Failed, PaymentDeclined, Providers, RefundNotFailed, RefundNotFound
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import jobs
from tfmshop.platform.db import Database, Tx

log = structlog.get_logger("checkout")
PROVIDER_SECONDS: Final = 10.0
FREE: Final = "free"
"""The reference of what cost nothing: no company is asked."""
TAKEN: Final = ("captured", "partially_refunded", "refunded")


def as_payment(due: orders.paying.Payment) -> payments.Payment:
    """An order's payment, as its provider knows it."""
    return payments.Payment(str(due.order_id), due.total, due.reference)


async def capture(db: Database, providers: Providers, order_id: UUID) -> None:
    """Take the money that is authorised for an order, once; an order cancelled meanwhile has it let go."""
    async with db.read() as tx:
        due = await orders.paying.look(tx, order_id)
    if due.state != "authorized":
        return
    reference = FREE
    if due.total.amount:
        provider = providers.named(due.provider)
        reference = await asyncio.wait_for(provider.capture(as_payment(due)), PROVIDER_SECONDS)
    await db.transact(partial(captured, order_id=order_id, reference=reference, amount=due.total))


async def captured(tx: Tx, *, order_id: UUID, reference: str, amount: Money) -> None:
    """Note that a company took the money of an order; that of one which was cancelled meanwhile is let go."""
    if await orders.paying.mark(tx, order_id, "captured", of=["authorized"]):
        due = await orders.paying.look(tx, order_id)
        await payments.captured(tx, order_id, due.provider, reference, amount)
    else:
        await let_go_of_cancelled(tx, order_id=order_id)


async def let_go_of_cancelled(tx: Tx, *, order_id: UUID) -> None:
    """Void the money of a cancelled order that came too late; what was taken before goes back as a refund."""
    due = await orders.paying.look(tx, order_id, hold=True)
    if due.status == orders.OrderStatus.CANCELLED and due.state not in TAKEN:
        await let_go(tx, order_id)


async def void(db: Database, providers: Providers, order_id: UUID) -> None:
    """Let go of the money of an order that will not be sent."""
    async with db.read() as tx:
        due = await orders.paying.look(tx, order_id)
    if due.total.amount:
        await asyncio.wait_for(providers.named(due.provider).void(as_payment(due)), PROVIDER_SECONDS)


async def ask_refund(tx: Tx, order_id: UUID, amount: int | None, *, who: str, why: str, closes: bool = True) -> Money:
    """Have money of an order given back, all that is left without an `amount`; how much. The order that has nothing
    left is closed, unless it goes on without a price. `OrderNotFound`, `CannotRefund`, `RefundTooLarge`.
    """
    due = await orders.paying.look(tx, order_id, hold=True)
    taken, back = await payments.balance(tx, order_id)
    wanted = taken - back if amount is None else amount
    if due.elsewhere:
        raise CannotRefund(state="another shop's")
    if due.state not in TAKEN or wanted <= 0:
        raise CannotRefund(state=due.state)
    money = Money(wanted, due.total.currency)
    await payments.refunds.ask(tx, order_id, money, who=who, why=why)
    whole = back + wanted == taken
    await orders.paying.mark(tx, order_id, "refunded" if whole else "partially_refunded", of=TAKEN)
    if whole and closes:
        await orders.paying.mark_refunded(tx, order_id, who=who, why=why)
    return money


async def refund(db: Database, providers: Providers, refund_id: UUID) -> None:
    """Tell the provider of a refund that was asked for, once. One that it refuses waits for staff."""
    async with db.read() as tx:
        asked = await payments.refunds.find(tx, refund_id)
        due = await orders.paying.look(tx, asked.order_id)
    if asked.done or asked.failed:
        return
    provider = providers.named(asked.provider)
    try:
        reference = await asyncio.wait_for(provider.refund(as_payment(due), asked.key, asked.amount), PROVIDER_SECONDS)
    except PaymentDeclined as refused:
        await db.transact(partial(_refund_failed, refund=asked, why=refused.reason))
        return
    await db.transact(partial(_gave_back, refund=asked, reference=reference))


async def refund_came_back(tx: Tx, *, provider: str, failed: Failed) -> None:
    """Note that money which was given back never arrived: the buyer is owed it, and staff decide how it goes."""
    refund = await payments.refunds.of_key(tx, failed.refund_key)
    if refund is None or refund.provider != provider:
        log.warning("news of a refund that is not theirs, or of an earlier try", provider=provider, why=failed.why)
    else:
        await _refund_failed(tx, refund=refund, why=failed.why)


async def refund_again(tx: Tx, order_id: UUID, refund_id: UUID, *, who: str, given: str | None = None) -> None:
    """Have a refund that failed given again, or note how it was `given` otherwise.

    `RefundNotFound`, `RefundNotFailed`.
    """
    await orders.paying.look(tx, order_id, hold=True)
    refund = await payments.refunds.find(tx, refund_id)
    if refund.order_id != order_id:
        raise RefundNotFound
    if not refund.failed:
        raise RefundNotFailed
    refund = await payments.refunds.again(tx, refund)
    await orders.editing.note(tx, order_id, who, f"given back otherwise: {given}" if given else "given back again")
    if given:
        await _gave_back(tx, refund=refund, reference=given)
    else:
        await payments.refunds.enqueue(tx, refund_id)


async def _gave_back(tx: Tx, *, refund: payments.refunds.Refund, reference: str) -> None:
    due = await orders.paying.look(tx, refund.order_id, hold=True)
    if await payments.refunds.given(tx, refund, reference):
        news = orders.OrderNews(due.order_id, due.number, amount=refund.amount, refund_id=refund.id)
        await jobs.events.publish(tx, "order.refunded", due.order_id, news)


async def _refund_failed(tx: Tx, *, refund: payments.refunds.Refund, why: str) -> None:
    due = await orders.paying.look(tx, refund.order_id, hold=True)
    if await payments.refunds.failed(tx, refund, why):
        log.error("a refund failed", order=due.number, refund_id=str(refund.id), why=why)
        news = orders.OrderNews(due.order_id, due.number, amount=refund.amount, refund_id=refund.id, why=why)
        await jobs.events.publish(tx, "order.refund_failed", due.order_id, news)


async def cancel(tx: Tx, order_id: UUID, *, who: str, why: str, by_buyer: bool = False) -> None:
    """Cancel an order that was not sent, or for its buyer one that is not packed either: stock and coupons go back, and
    so does the money. Nobody is told of one that was not paid: its cart is open again. `CannotMove`.
    """
    due = await orders.paying.look(tx, order_id, hold=True)
    taken = due.state in TAKEN
    of = [orders.OrderStatus.PLACED, orders.OrderStatus.PAID] if by_buyer else None
    state = due.state if taken else "voided"
    cart_id, units = await orders.cancel(tx, order_id, payment_status=state, who=who, why=why, of=of)
    if due.status != orders.OrderStatus.PLACED:
        await jobs.events.publish(tx, "order.cancelled", order_id, orders.OrderNews(order_id, due.number, why=why))
    elif cart_id is not None:
        await cart.closing.reopen(tx, cart_id)
    await promotions.give_back(tx, order_id)
    await inventory.give_back(tx, order_id, units)
    if not taken:
        await let_go(tx, order_id)
    elif due.state != "refunded" and due.total.amount and not due.elsewhere:
        await ask_refund(tx, order_id, None, who=who, why=why)


async def take_back(tx: Tx, return_id: UUID, *, restock: bool, amount: int | None, who: str, answer: str) -> None:
    """Receive a return: its units go to the shelf if `restock`, and what they are worth, or `amount`, to the buyer.

    `ReturnNotFound`, `ReturnDecided`, `CannotRefund`, `RefundTooLarge`.
    """
    back = await orders.returns.receive(tx, return_id, restock=restock, who=who, answer=answer)
    if restock:
        await inventory.give_back(tx, back.order_id, back.units)
    if owed := back.amount if amount is None else amount:
        await ask_refund(tx, back.order_id, owed, who=who, why=answer or "goods came back")
