"""What opens a guest's order: a token that the shop can make again, for their letters and for an answer that was lost.

It is sealed over the order's id and number. The order keeps its hash, so that the one WHERE which asks for the owner
asks for it, too.
"""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.orders.model import Order
from tfmshop.commerce.orders.store import OPENS
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import digest
from tfmshop.platform.security.seals import Seals


def token_of(seals: Seals, id: UUID, number: str) -> str:
    """The token of an order. Who has the key needs the order's number, who has the table lacks the key."""
    return seals.token("order", id, number.encode())


async def for_letter(tx: Tx, seals: Seals, order: Order) -> str:
    """The token of a guest's order; empty where none opens it: a customer's, or one from before the secret changed."""
    token = token_of(seals, order.id, order.number)
    return token if await tx.value(OPENS, order.id, digest(token)) else ""
