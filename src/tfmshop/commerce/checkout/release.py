"""Giving up an order that was not paid: its stock goes back, its cart opens again, its payment is let go."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tfmshop.commerce import cart, inventory, orders, promotions
from tfmshop.platform import jobs
from tfmshop.platform.db import Tx


class LetGo(msgspec.Struct, frozen=True):
    """An order that will not be sent, whose payment may have been authorised."""

    order_id: UUID


async def release(tx: Tx, order_id: UUID, *, payment_status: str, why: str) -> None:
    """Cancel the order, return its units and open its cart. `CannotMove` when it is not an unpaid order any more."""
    cart_id, units = await orders.cancel(
        tx, order_id, payment_status=payment_status, who="shop", why=why, of=[orders.OrderStatus.PLACED]
    )
    if cart_id is not None:
        await cart.closing.reopen(tx, cart_id)
    await promotions.give_back(tx, order_id)
    await inventory.give_back(tx, order_id, units)


async def let_go(tx: Tx, order_id: UUID) -> None:
    """Have the payment of an order voided by a job, which is tried again until the provider has heard it."""
    await jobs.enqueue(tx, "checkout.let_go", LetGo(order_id))
