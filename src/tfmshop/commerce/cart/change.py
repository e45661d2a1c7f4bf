"""Changing a cart: lines in and out, who buys and where it goes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tfmshop.commerce import catalog, inventory, pricing, promotions
from tfmshop.commerce.cart.errors import (
    CartNotFound,
    CartOrdered,
    LineNotFound,
    TooMany,
    TooManyLines,
    WrongCurrency,
)
from tfmshop.commerce.cart.model import MOST_LINES, MOST_UNITS, Owner
from tfmshop.commerce.cart.open import view, why
from tfmshop.commerce.cart.store import ADD, CHANGE, CHOOSE, DESCRIBE, REMOVE
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Tx


async def add(
    tx: Tx, id: UUID, owner: Owner, *, variant_id: UUID | None, product_id: UUID | None, quantity: int,
    expires_at: datetime,
) -> None:  # fmt: skip
    """Put units of a variant (or of a product's first variant) into the cart, in one statement.

    `CartNotFound`, `CartOrdered`, `ProductNotFound`, `WrongCurrency`, `TooManyLines`, `TooMany`, `OutOfStock`.
    """
    row = await tx.row(
        ADD, id, owner.token_hash, owner.customer_id, variant_id, product_id, ids.new(), quantity, MOST_UNITS,
        MOST_LINES, expires_at,
    )  # fmt: skip
    assert row is not None  # noqa: S101 - the statement always gives a row
    status, currency, variant, sku, priced_in, priced, available, has, others, added = row
    must_be_open(status)
    if added:
        return
    if variant is None:
        raise catalog.errors.ProductNotFound
    if not priced:
        raise WrongCurrency(cart=currency, product=priced_in)
    if others >= MOST_LINES:
        raise TooManyLines(most=MOST_LINES)
    if has + quantity > MOST_UNITS:
        raise TooMany(most=MOST_UNITS)
    raise inventory.OutOfStock(sku=sku, free=available)


async def change(tx: Tx, id: UUID, owner: Owner, line_id: UUID, quantity: int, expires_at: datetime) -> None:
    """Set the units of a line. `CartNotFound`, `CartOrdered`, `LineNotFound`, `OutOfStock`."""
    row = await tx.row(CHANGE, id, owner.token_hash, owner.customer_id, line_id, quantity, expires_at)
    assert row is not None  # noqa: S101 - the statement always gives a row
    status, line, sku, available, changed = row
    must_be_open(status)
    if line is None:
        raise LineNotFound
    if not changed and quantity <= available:
        raise LineNotFound
    if not changed:
        raise inventory.OutOfStock(sku=sku or "", free=available)


async def remove(tx: Tx, id: UUID, owner: Owner, line_id: UUID | None) -> None:
    """Take a line, or with None every line, out of the cart. `CartNotFound`, `CartOrdered`, `LineNotFound`."""
    row = await tx.row(REMOVE, id, owner.token_hash, owner.customer_id, line_id)
    assert row is not None  # noqa: S101 - the statement always gives a row
    must_be_open(row[0])
    if line_id is not None and not row[1]:
        raise LineNotFound


async def describe(tx: Tx, id: UUID, owner: Owner, *, email: str | None = None, address: Address | None = None) -> None:
    """Say who buys or where it goes. `CartNotFound`, `CartOrdered`."""
    text = codec.encode_text(address) if address else None
    must_be_open(await tx.value(DESCRIBE, id, owner.token_hash, owner.customer_id, email, text))


async def set_coupon(tx: Tx, id: UUID, owner: Owner, code: str | None) -> None:
    """Put a coupon into the cart, or with None take it out. `CartNotFound`, `CartOrdered`, `CouponInvalid`."""
    wanted = None if code is None else code.strip().upper()
    must_be_open(await tx.value(CHOOSE, id, owner.token_hash, owner.customer_id, True, wanted, None))
    if wanted is not None:
        found = [reason for reason in await why(tx, id, owner) if reason.kind == "offer" and reason.code == wanted]
        if not found or not found[0].applied:
            raise promotions.CouponInvalid(why=found[0].why if found else "there is no such coupon")


async def set_shipping(tx: Tx, id: UUID, owner: Owner, code: str) -> None:
    """Choose how the cart is sent. `CartNotFound`, `CartOrdered`, `MethodNotFound`."""
    must_be_open(await tx.value(CHOOSE, id, owner.token_hash, owner.customer_id, False, None, code))
    cart = await view(tx, id, owner)
    if code not in {choice.code for choice in cart.shipping_choices}:
        raise pricing.MethodNotFound(method=code)


def must_be_open(status: str | None) -> None:
    """Refuse a cart that is not there, or not open any more. `CartNotFound`, `CartOrdered`."""
    if status is None:
        raise CartNotFound
    if status != "open":
        raise CartOrdered
