"""Making a cart and looking at it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tfmshop.commerce.cart.errors import CartNotFound
from tfmshop.commerce.cart.model import Cart, CartLine, Owner, Remark, totals
from tfmshop.commerce.cart.store import CREATE, MINE, VIEW
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Row, Tx


async def create(tx: Tx, token_hash: bytes, currency: str, expires_at: datetime) -> UUID:
    """An empty cart for the bearer of a token; its id."""
    id = ids.new()
    await tx.execute(CREATE, id, token_hash, currency, expires_at)
    return id


async def mine(tx: Tx, customer_id: UUID, currency: str, expires_at: datetime) -> UUID:
    """The open cart of a signed-in customer, made when there is none; its id."""
    id = None
    while id is None:
        id = await tx.value(MINE, ids.new(), customer_id, currency, expires_at)
    return UUID(int=id.int)


async def view(tx: Tx, id: UUID, owner: Owner) -> Cart:
    """The cart with live prices, stock and warnings, in one statement. `CartNotFound`."""
    rows = await tx.rows(VIEW, id, owner.token_hash, owner.customer_id)
    if not rows:
        raise CartNotFound
    _, status, currency, email, address, expires_at, reserved_until = rows[0][:7]
    lines: list[CartLine] = []
    warnings: list[Remark] = []
    for row in rows:
        if row[7] is not None:
            line, remarks = _line(row, currency)
            warnings += remarks
            if line is not None:
                lines.append(line)
    sums = totals([(line.unit_price.amount, line.quantity) for line in lines])

    def money(amount: int) -> Money:
        return Money(amount, currency)

    return Cart(
        id, status, currency, email, codec.decode_as(address, Address) if address else None, lines,
        money(sums.subtotal), money(sums.discount), money(sums.shipping), money(sums.tax), money(sums.total), warnings,
        expires_at, reserved_until,
    )  # fmt: skip


def _line(row: Row, currency: str) -> tuple[CartLine | None, list[Remark]]:
    (id, variant_id, quantity, added_price, product_id, sku, slug, title, variant_title, image, price,
     available) = row[7:]  # fmt: skip
    if product_id is None:
        return None, [Remark("unavailable", id, "This product is not sold any more; it is not part of the total.")]
    warnings = []
    if price != added_price:
        warnings.append(Remark("price_changed", id, f"The price was {added_price} and is now {price}."))
    if available < quantity:
        warnings.append(Remark("out_of_stock", id, f"Only {available} left."))
    line = CartLine(
        id, product_id, variant_id, sku, slug, full_title(title, variant_title), image, quantity,
        Money(price, currency), Money(price * quantity, currency), available,
    )  # fmt: skip
    return line, warnings


def full_title(title: str, variant: str) -> str:
    """A product's title with its variant's, if that has one."""
    return f"{title} ({variant})" if variant else title
