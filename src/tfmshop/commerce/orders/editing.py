"""Changing an order before anything of it was sent: where it goes, whom it is for, and fewer units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tfmshop.commerce.orders.browse import load
from tfmshop.commerce.orders.errors import CannotEdit
from tfmshop.commerce.orders.model import Discount, Order, OrderStatus, allotted, worth
from tfmshop.commerce.orders.paying import look
from tfmshop.commerce.orders.store_editing import INVOICE, LOWER, NOTE_EDIT, READDRESS, TO_LOWER
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Row, Tx, columns

EDITABLE = (OrderStatus.PAID, OrderStatus.PACKED)


@dataclass(frozen=True, slots=True)
class Edit:
    """What shall be otherwise: an e-mail address, an address, and units by SKU, fewer than there are; 0 is none."""

    email: str | None = None
    address: Address | None = None
    units: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Lowered:
    """Units that go back, by variant, and what was paid for them in minor units; whether letters go elsewhere now."""

    units: dict[UUID, int]
    amount: int
    readdressed: bool = False


def units(lines: Sequence[tuple[str, int]]) -> dict[str, int]:
    """How many of each SKU an order shall have. `CannotEdit` when one is named twice."""
    wanted = dict(lines)
    if len(wanted) != len(lines):
        raise CannotEdit(why="a SKU is named twice")
    return wanted


async def edit(tx: Tx, id: UUID, wanted: Edit, *, who: str, why: str) -> Lowered:
    """Change an order that is paid and not sent yet. The caller gives back what was lowered.

    `OrderNotFound`, `CannotEdit`. Discounts and taxes of a line go down with its units; offers stand as they were used.
    """
    if wanted == Edit():
        raise CannotEdit(why="nothing shall be otherwise")
    due = await look(tx, id, hold=True)
    if due.status not in EDITABLE:
        raise CannotEdit(why=f"it is {due.status}")
    order, _ = await load(tx, id)
    if wanted.address is not None and _elsewhere(order.addresses.shipping, wanted.address):
        raise CannotEdit(why="another country or region may have other taxes and shipping; cancel it and order anew")
    await tx.execute(
        READDRESS, id, wanted.email, codec.encode_text(wanted.address) if wanted.address is not None else None
    )
    lowered = Lowered({}, 0)
    if wanted.units is not None:
        if await tx.row(INVOICE, id) is not None:
            raise CannotEdit(why="it has an invoice; refund or cancel it")
        if due.state == "authorized":
            raise CannotEdit(why="its money is just being taken; try again in a moment")
        lowered = await _lower(tx, order, wanted.units)
    await note(tx, id, who, why)
    return replace(lowered, readdressed=wanted.email not in (None, order.email))


async def note(tx: Tx, id: UUID, who: str, why: str) -> None:
    """Add to an order's history what leaves it where it is."""
    await tx.execute(NOTE_EDIT, id, clock.now(), who, why)


def _elsewhere(old: Address, new: Address) -> bool:
    return (old.country, old.region or "") != (new.country, new.region or "")


async def _lower(tx: Tx, order: Order, wanted: Mapping[str, int]) -> Lowered:
    rows = await tx.rows(TO_LOWER, order.id)
    less = allotted(
        [(row["position"], row["sku"], row["quantity"]) for row in rows], _less(rows, wanted), _not_so_many
    )  # fmt: skip
    if sum(less.values()) == sum(row["quantity"] for row in rows):
        raise CannotEdit(why="nothing would be left; cancel it")
    return await take_off(tx, order, rows, less)


async def take_off(tx: Tx, order: Order, rows: Sequence[Row], less: Mapping[int, int]) -> Lowered:
    """Take units, by line (of the rows of `TO_LOWER`), off an order; what they were and what was paid for them."""
    units: dict[UUID, int] = {}
    parts: list[tuple[int, int, int, int, int]] = []
    subtotal = 0
    for row in (row for row in rows if row["position"] in less):
        count = less[row["position"]]
        units[row["variant_id"]] = units.get(row["variant_id"], 0) + count
        subtotal += row["unit_price"] * count
        shares = (worth(row[name], row["quantity"], 0, count) for name in ("discount", "tax", "tax_included"))
        parts.append((row["position"], count, *shares))
    discount, tax, included = (sum(part[n] for part in parts) for n in (2, 3, 4))
    amount = subtotal - discount + tax - included
    await tx.execute(
        LOWER, order.id, *columns(parts), subtotal, discount, tax, included, amount,
        codec.encode_text(_offers(order.discounts, order.discount.amount, discount)),
    )  # fmt: skip
    return Lowered(units, amount)


def _less(rows: Sequence[Row], wanted: Mapping[str, int]) -> dict[str, int]:
    """How many units of each SKU go, where any do."""
    there: dict[str, int] = {}
    for row in rows:
        there[row["sku"]] = there.get(row["sku"], 0) + row["quantity"]
    for sku, units in wanted.items():
        if sku not in there or units > there[sku]:
            raise _not_so_many(sku, there.get(sku, 0))
    less = {sku: there[sku] - units for sku, units in wanted.items() if units < there[sku]}
    if not less:
        raise CannotEdit(why="it has just so many units")
    return less


def _not_so_many(sku: str, left: int) -> CannotEdit:
    return CannotEdit(why=f"it has {left} of {sku}, and units can only be taken off")


def _offers(offers: Sequence[Discount], whole: int, off: int) -> list[Discount]:
    """The offers of an order whose discount goes down by `off`: each gives up its share."""
    left, before = [], 0
    for offer in offers:
        share = worth(off, whole, before, offer.amount.amount) if whole else 0
        before += offer.amount.amount
        left.append(Discount(offer.name, Money(offer.amount.amount - share, offer.amount.currency), offer.code))
    return left
