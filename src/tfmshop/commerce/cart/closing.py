"""Closing a cart for an order, and opening it again when nothing came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from tfmshop.commerce.cart.errors import CartNotFound, CartOrdered
from tfmshop.commerce.cart.model import MOST_LINES, Bought, Closed, Owner
from tfmshop.commerce.cart.open import address_of, full_title, item_of, on_sale, terms_of
from tfmshop.commerce.cart.quote import quote
from tfmshop.commerce.cart.store import CLOSE, DROP_EXPIRED, ERASE, FORGET, HOLD_ALL, LEFT_BEHIND, REOPEN, STATUS
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Refused, Row, Tx


@dataclass(frozen=True, slots=True)
class Closing:
    """A cart that shall be closed; what else is given overrides the cart's own."""

    id: UUID
    owner: Owner
    email: str | None = None
    address: Address | None = None
    shipping_method: str | None = None


async def close(tx: Tx, carts: Sequence[Closing]) -> list[Closed | CartNotFound | CartOrdered]:
    """Close carts, all different; for each what is in it at today's prices, or why it was not closed."""
    rows = await tx.rows(
        CLOSE, [one.id for one in carts], [one.owner.token_hash for one in carts],
        [one.owner.customer_id for one in carts], [one.email for one in carts],
        [codec.encode_text(one.address) if one.address else None for one in carts],
        [one.shipping_method for one in carts],
    )  # fmt: skip
    of_cart = {id: list(lines) for id, lines in groupby(rows, itemgetter("id"))}
    return [_closed(of_cart[one.id]) if one.id in of_cart else await _why_not(tx, one) for one in carts]


async def _why_not(tx: Tx, one: Closing) -> CartNotFound | CartOrdered:
    status = await tx.value(STATUS, one.id, one.owner.token_hash, one.owner.customer_id)
    return CartNotFound() if status is None else CartOrdered()


def _closed(rows: list[Row]) -> Closed:
    head = rows[0]
    where = address_of(head)
    there = [row for row in rows if on_sale(row)]
    sums = quote([item_of(row) for row in there], terms_of(head, where), clock.now())
    lines = [
        Bought(row["product_id"], row["variant_id"], row["sku"], full_title(row["title"], row["variant_title"]),
               row["quantity"], row["price"], off, tax.amount, tax.included, tax.rate)
        for row, off, tax in zip(there, sums.line_discounts, sums.line_taxes, strict=True)
    ]  # fmt: skip
    missing = [row["variant_id"] for row in rows if row["variant_id"] is not None and not on_sale(row)]
    return Closed(head["currency"], head["email"], where, head["coupon"], lines, sums, missing)


async def reopen(tx: Tx, id: UUID) -> None:
    """Open a cart whose order came to nothing.

    What was in it goes into a newer one that its customer has opened, unless that is in another currency; of what is in
    both, the larger number stays. Called before offers and stock are given back: checkouts lock in that order.
    """
    try:
        async with tx.savepoint():
            await tx.execute(REOPEN, id, MOST_LINES)
    except Refused:  # they have just opened one
        await tx.execute(REOPEN, id, MOST_LINES)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A cart that its owner left: the titles in it, and how many of each."""

    id: UUID
    email: str
    lines: list[tuple[str, int]]


async def left_behind(tx: Tx, before: datetime, limit: int = 100) -> list[LeftBehind]:
    """Carts with goods and an e-mail address that nobody touched since; each is given once."""
    rows = await tx.rows(LEFT_BEHIND, before, limit)
    return [LeftBehind(id, lines[0]["email"], [
        (full_title(line["title"], line["variant_title"]), line["quantity"]) for line in lines if line["title"]
    ]) for id, lines in ((id, list(group)) for id, group in groupby(rows, itemgetter("id")))]  # fmt: skip


async def hold_all(tx: Tx, customer: UUID) -> None:
    """Wait for carts of a customer that are ordered or opened again, and let none be until the end of `tx`."""
    await tx.rows(HOLD_ALL, customer)


async def erase(tx: Tx, customer: UUID) -> None:
    """Take away a customer's open cart, and from the others where they went."""
    await tx.execute(ERASE, customer)


async def forget(tx: Tx, customer: UUID) -> None:
    """Take away where a customer's open cart would go, and who would hear of it."""
    await tx.execute(FORGET, customer)


async def drop_expired(tx: Tx) -> int:
    """Delete up to 10,000 carts that nobody touched in time; how many."""
    return await tx.execute(DROP_EXPIRED)
