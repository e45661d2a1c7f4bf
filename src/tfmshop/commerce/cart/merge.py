"""A guest who signs in brings their cart along."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce import inventory
from tfmshop.commerce.cart.change import must_be_open
from tfmshop.commerce.cart.errors import WrongCurrency
from tfmshop.commerce.cart.model import MOST_LINES, MOST_UNITS
from tfmshop.commerce.cart.store import MERGE
from tfmshop.platform.db import Tx


async def merge(tx: Tx, id: UUID, guest_id: UUID, token_hash: bytes | None) -> None:
    """Move what a guest's cart has into the customer's, which keeps its own words where both have some.

    Units of the same variant add up, 999 at most; lines beyond the hundredth are left out. The guest's cart is gone
    then, and what it held goes back. `CartNotFound`, `CartOrdered`, `WrongCurrency`.
    """
    row = await tx.row(MERGE, id, guest_id, token_hash, MOST_UNITS, MOST_LINES)
    must_be_open(row["status"] if row else None)
    if row is not None and row["currency"] != row["wanted"]:
        raise WrongCurrency(cart=row["wanted"], product=row["currency"])
    await inventory.release(tx, guest_id)
