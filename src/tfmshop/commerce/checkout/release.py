"""Giving up an order that was not paid: its stock goes back and its cart opens again."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import cart, inventory, orders
from tfmshop.platform.db import Tx


async def release(tx: Tx, order_id: UUID, *, payment_status: str, why: str) -> None:
    """Cancel the order, return its units and open its cart. `CannotMove` when it is not an unpaid order any more."""
    cart_id, units = await orders.cancel(tx, order_id, payment_status=payment_status, who="shop", why=why)
    await inventory.give_back(tx, order_id, units)
    if cart_id is not None:
        await cart.reopen(tx, cart_id)
