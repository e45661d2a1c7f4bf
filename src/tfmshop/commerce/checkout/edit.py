"""Changing an order that is not wholly sent: what it has less goes back to the shelf, and its money to the buyer."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import inventory, orders, payments
from tfmshop.commerce.checkout.money import ask_refund
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import jobs
from tfmshop.platform.db import Tx


async def cancel_rest(tx: Tx, order_id: UUID, *, who: str, why: str, amount: int | None = None) -> Money:
    """Send nothing more of a partly shipped order: the rest goes back to the shelf, and its money to the buyer, or
    `amount` where some of it went back before; how much. `OrderNotFound`, `CannotMove`, `RefundTooLarge`.
    """
    rest = await orders.fulfil.cancel_rest(tx, order_id, who=who, why=why)
    await inventory.give_back(tx, order_id, rest.units)
    taken, back = await payments.balance(tx, order_id)
    owed = min(rest.amount, taken - back) if amount is None else amount
    if owed:
        await ask_refund(tx, order_id, owed, who=who, why=why, closes=False)
    due = await orders.paying.look(tx, order_id)
    money = Money(owed, due.total.currency)
    news = orders.OrderNews(order_id, due.number, amount=money, why=why)
    await jobs.events.publish(tx, "order.rest_cancelled", order_id, news)
    return money


async def edit(tx: Tx, order_id: UUID, wanted: orders.editing.Edit, *, who: str, why: str) -> Money:
    """Change an order; how much goes back to its buyer. `OrderNotFound`, `CannotEdit`."""
    lowered = await orders.editing.edit(tx, order_id, wanted, who=who, why=why)
    if lowered.units:
        await inventory.give_back(tx, order_id, lowered.units)
    due = await orders.paying.look(tx, order_id)
    back = 0 if due.elsewhere else lowered.amount
    if back:
        await ask_refund(tx, order_id, back, who=who, why=why, closes=False)
    await jobs.events.publish(
        tx, "order.edited", order_id, orders.OrderNews(order_id, due.number, why=why, readdressed=lowered.readdressed)
    )
    return Money(back, due.total.currency)
