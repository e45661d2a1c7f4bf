"""What opens a guest's order: a token that the shop can make again, for their letters and for an answer that was lost.

It is sealed over the order's id and number. The order keeps its hash, so that the one WHERE which asks for the owner
asks for it, too; and which token it is: when the order goes to another e-mail address, the next one opens it.
"""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.orders.model import Order
from tfmshop.commerce.orders.store import GIVE_TOKEN, TOKEN
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import digest
from tfmshop.platform.security.seals import Seals


def token_of(seals: Seals, id: UUID, number: str, nth: int = 0) -> str:
    """The token of an order. Who has the key needs the order's number, who has the table lacks the key."""
    return seals.token("order", id, number.encode(), nth)


async def give(tx: Tx, seals: Seals, order: Order, *, instead: bool) -> str | None:
    """The token of a guest's order, which opens it from now on; None for a customer's.

    One that opens it already, made before the secret changed, goes on: None; or it gives way, if `instead`.
    """
    row = await tx.row(TOKEN, order.id)
    if row is None:
        return None
    token = token_of(seals, order.id, order.number, row["token_number"])
    if row["token_hash"] == digest(token):
        return token
    if row["token_hash"] is not None and not instead:
        return None
    return token if await tx.execute(GIVE_TOKEN, order.id, digest(token), row["token_number"]) else None
