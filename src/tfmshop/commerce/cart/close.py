"""Closing a cart for an order, and opening it again when nothing came of it."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from tfmshop.commerce.cart.errors import CartNotFound, CartOrdered
from tfmshop.commerce.cart.model import Bought, Closed, Owner
from tfmshop.commerce.cart.open import address_of, full_title, item_of, terms_of
from tfmshop.commerce.cart.quote import quote
from tfmshop.commerce.cart.store import CLOSE, DROP_EXPIRED, REOPEN, STATUS
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Refused, Tx


async def close(
    tx: Tx, id: UUID, owner: Owner, *, email: str | None, address: Address | None, shipping_method: str | None = None
) -> Closed:
    """Close the cart and give what is in it at today's prices. `CartNotFound`, `CartOrdered`."""
    text = codec.encode_text(address) if address else None
    rows = await tx.rows(CLOSE, id, owner.token_hash, owner.customer_id, email, text, shipping_method)
    if not rows:
        if await tx.value(STATUS, id, owner.token_hash, owner.customer_id) is None:
            raise CartNotFound
        raise CartOrdered
    head = rows[0]
    where = address_of(head)
    there = [row for row in rows if row["product_id"] is not None]
    sums = quote([item_of(row) for row in there], terms_of(head, where), clock.now())
    lines = [
        Bought(row["product_id"], row["variant_id"], row["sku"], full_title(row["title"], row["variant_title"]),
               row["quantity"], row["price"], off, tax)
        for row, off, tax in zip(there, sums.line_discounts, sums.line_taxes, strict=True)
    ]  # fmt: skip
    missing = [row["variant_id"] for row in rows if row["product_id"] is None and row["variant_id"] is not None]
    return Closed(head["currency"], head["email"], where, head["coupon"], lines, sums, missing)


async def reopen(tx: Tx, id: UUID) -> None:
    """Open a cart whose order came to nothing, unless its customer has (or is just making) a newer one."""
    with suppress(Refused):
        async with tx.savepoint():
            await tx.execute(REOPEN, id)


async def drop_expired(tx: Tx) -> int:
    """Delete up to 10,000 carts that nobody touched in time; how many."""
    return await tx.execute(DROP_EXPIRED)
