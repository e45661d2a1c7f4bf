"""The orders of a shop that moves in: written once, and its cancellations matched to what they cancel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from tfmshop.commerce.orders.intake import COLUMNS, POSTAGE, Entry, Intake, as_row
from tfmshop.commerce.orders.model import MOVED_IN
from tfmshop.commerce.orders.store_moving import (
    COPY_HISTORY,
    COPY_LINES,
    COPY_MOVED,
    COPY_ORDERS,
    COPY_RETURNS,
    FIND_GOODS,
    MARK_RETURNED,
    OPEN_LINES,
    THERE,
    THERE_RETURNS,
)  # fmt: skip
from tfmshop.commerce.vocabulary import Address
from tfmshop.platform import codec
from tfmshop.platform.db import Tx

__all__ = ["COLUMNS", "Intake", "Moved", "move_in"]

NAMESPACE: Final = UUID("6d6f7665-6420-696e-8000-746672736821")
"""Ids of what moved in are made of its names, so that the same file makes the same orders."""


@dataclass(slots=True)
class Part:
    """Lines of a file and what they add to the books."""

    lines: int = 0
    value: Decimal = Decimal(0)

    def add(self, minor_units: int) -> None:
        """One more line."""
        self.lines += 1
        self.value += Decimal(minor_units) / 100


@dataclass(slots=True)
class Moved:
    """What became of a file: each of its lines is in exactly one of the parts."""

    orders: int
    already_there: int
    file: Part
    in_orders: Part
    in_returns: Part
    rejected: Part

    @property
    def reconciles(self) -> bool:
        """Whether the parts are the file, line for line and penny for penny."""
        parts = (self.in_orders, self.in_returns, self.rejected)
        return sum(part.lines for part in parts) == self.file.lines and sum(p.value for p in parts) == self.file.value


@dataclass(slots=True)
class _Open:
    """A line of an order that moved in, and how many of its units did not come back yet."""

    order_id: UUID
    position: int
    unit_price: int
    left: int
    placed_at: Any


async def move_in(tx: Tx, intake: Intake, currency: str) -> Moved:
    """Write the orders of a file that are not there yet, and match its cancellations; what cannot be is rejected.

    A cancellation is matched to earlier lines of the same customer and stock code with units left, at its own price
    first and the newest first, never at a lower one. A second time nothing changes.
    """
    there = {row[0] for row in await tx.rows(THERE, list(intake.orders))}
    fresh = {invoice: entries for invoice, entries in intake.orders.items() if invoice not in there}
    await _write(tx, fresh, currency)
    in_returns = await _return(tx, intake)
    in_orders = Part()
    for entries in intake.orders.values():
        for entry in entries:
            in_orders.add(entry.value)
    rejected = Part(len(intake.rejected), sum((one.value for one in intake.rejected), Decimal(0)))
    return Moved(len(fresh), len(there), Part(intake.lines, intake.value), in_orders, in_returns, rejected)


async def _write(tx: Tx, orders: dict[str, list[Entry]], currency: str) -> None:
    skus = sorted({entry.sku for entries in orders.values() for entry in entries})
    goods = {row[0]: (row[1], row[2]) for row in await tx.rows(FIND_GOODS, skus)}
    for sku in skus:
        goods.setdefault(sku, (uuid5(NAMESPACE, f"product {sku}"), uuid5(NAMESPACE, f"variant {sku}")))
    heads, lines, steps, moved = [], [], [], []
    for invoice, entries in orders.items():
        id = uuid5(NAMESPACE, f"order {invoice}")
        at = min(entry.at for entry in entries)
        bought = [entry for entry in entries if entry.sku not in POSTAGE] or entries
        shipping = sum(entry.value for entry in entries) - sum(entry.value for entry in bought)
        subtotal = sum(entry.value for entry in bought)
        customer = entries[0].customer
        heads.append((id, invoice, "delivered", "captured", MOVED_IN, currency, subtotal, shipping,
                      subtotal + shipping, f"{customer or 'guest'}@moved-in.invalid", _address(entries[0]), True, at,
                      at))  # fmt: skip
        for position, entry in enumerate(bought, 1):
            product, variant = goods[entry.sku]
            lines.append((id, position, product, variant, entry.sku, entry.title, entry.quantity, entry.unit_price,
                          entry.value))  # fmt: skip
        steps.append((id, at, "delivered", "moved in", ""))
        moved.append((id, customer))
    await tx.copy(COPY_ORDERS, heads)
    await tx.copy(COPY_LINES, lines)
    await tx.copy(COPY_HISTORY, steps)
    await tx.copy(COPY_MOVED, moved)


async def _return(tx: Tx, intake: Intake) -> Part:
    known = {row[0] for row in await tx.rows(THERE_RETURNS, [_reference(one) for one in intake.cancellations])}
    wanted = sorted((one for one in intake.cancellations if _reference(one) not in known), key=lambda one: one.at)
    pool = await _open_lines(tx, wanted)
    matched = Part()
    returns: list[tuple[object, ...]] = []
    for one in intake.cancellations:
        if _reference(one) in known:
            matched.add(one.value)
    for one in wanted:
        found = _match(one, pool[one.customer, one.sku]) if one.customer else []
        if not found:
            why = "a cancellation that fits no order" if one.customer else "a cancellation of nobody"
            intake.reject(one.number, why, Decimal(one.value) / 100, as_row(one))
            continue
        matched.add(one.value)
        for line, units in found:
            line.left -= units
            returns.append((_reference(one), line.order_id, line.position, units, units * one.unit_price, one.at))
    await tx.copy(COPY_RETURNS, returns)
    await tx.execute(MARK_RETURNED, sorted({row[1] for row in returns}, key=str))
    return matched


async def _open_lines(tx: Tx, wanted: Iterable[Entry]) -> dict[tuple[str, str], list[_Open]]:
    pool: dict[tuple[str, str], list[_Open]] = defaultdict(list)
    customers = sorted({one.customer for one in wanted if one.customer})
    for customer, sku, *line in await tx.rows(OPEN_LINES, customers):
        pool[customer, sku].append(_Open(*line))
    return pool


def _match(one: Entry, lines: list[_Open]) -> list[tuple[_Open, int]]:
    """The lines whose units a cancellation gives back, and how many of each; none when they are too few."""
    fits = [line for line in lines if line.left and line.placed_at <= one.at and line.unit_price >= one.unit_price]
    fits.sort(key=lambda line: (line.unit_price != one.unit_price, -line.placed_at.timestamp(), str(line.order_id)))
    found, missing = [], -one.quantity
    for line in fits:
        units = min(line.left, missing)
        found.append((line, units))
        missing -= units
        if not missing:
            return found
    return []


def _reference(one: Entry) -> str:
    return f"{one.invoice}/{one.nth}"


def _address(entry: Entry) -> str:
    country = entry.country if len(entry.country) == 2 and entry.country.isascii() and entry.country.isupper() else "ZZ"
    name = f"Customer {entry.customer}" if entry.customer else "Unknown"
    return codec.encode_text(Address(name, "Unknown", "Unknown", country, region=entry.country[:200] or None))
