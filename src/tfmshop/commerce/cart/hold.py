"""Holding the units in a cart for a while, and letting them go."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tfmshop.commerce import inventory
from tfmshop.commerce.cart.change import must_be_open
from tfmshop.commerce.cart.model import Owner
from tfmshop.commerce.cart.store import HOLD
from tfmshop.platform.db import Tx


async def hold(tx: Tx, id: UUID, owner: Owner, until: datetime) -> None:
    """Reserve every line of the cart, all or none, in place of what it held before.

    `CartNotFound`, `CartOrdered`, `OutOfStock`.
    """
    wanted = await _lines(tx, id, owner)
    await inventory.reserve(tx, id, wanted, until)


async def let_go(tx: Tx, id: UUID, owner: Owner) -> None:
    """Give back what the cart holds. `CartNotFound`, `CartOrdered`."""
    await _lines(tx, id, owner)
    await inventory.release(tx, id)


async def _lines(tx: Tx, id: UUID, owner: Owner) -> dict[UUID, int]:
    """What is in the cart, which stays locked until the end."""
    rows = await tx.rows(HOLD, id, owner.token_hash, owner.customer_id)
    must_be_open(rows[0]["status"] if rows else None)
    return {row["variant_id"]: row["quantity"] for row in rows if row["variant_id"] is not None}
