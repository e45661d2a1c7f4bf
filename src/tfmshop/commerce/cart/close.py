"""Closing a cart for an order, and opening it again when nothing came of it."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from tfmshop.commerce.cart.errors import CartNotFound, CartOrdered
from tfmshop.commerce.cart.model import Bought, Closed, Owner
from tfmshop.commerce.cart.open import full_title
from tfmshop.commerce.cart.store import CLOSE, DROP_EXPIRED, REOPEN, STATUS
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import codec
from tfmshop.platform.db import Refused, Tx


async def close(tx: Tx, id: UUID, owner: Owner, *, email: str | None, address: Address | None) -> Closed:
    """Close the cart and give what is in it at today's prices. `CartNotFound`, `CartOrdered`."""
    text = codec.encode_text(address) if address else None
    rows = await tx.rows(CLOSE, id, owner.token_hash, owner.customer_id, email, text)
    if not rows:
        if await tx.value(STATUS, id, owner.token_hash, owner.customer_id) is None:
            raise CartNotFound
        raise CartOrdered
    lines: list[Bought] = []
    missing: list[UUID] = []
    for row in rows:
        variant_id, quantity, product_id, sku, title, variant_title, price = row[3:]
        if variant_id is None:
            continue
        if product_id is None:
            missing.append(variant_id)
        else:
            lines.append(Bought(product_id, variant_id, sku, full_title(title, variant_title), quantity, price))
    where = rows[0]["address"]
    return Closed(
        rows[0]["currency"],
        rows[0]["email"],
        codec.decode_as(where, Address) if where else None,
        lines,
        missing,
    )


async def reopen(tx: Tx, id: UUID) -> None:
    """Open a cart whose order came to nothing, unless its customer has (or is just making) a newer one."""
    with suppress(Refused):
        async with tx.savepoint():
            await tx.execute(REOPEN, id)


async def drop_expired(tx: Tx) -> int:
    """Delete up to 10,000 carts that nobody touched in time; how many."""
    return await tx.execute(DROP_EXPIRED)
