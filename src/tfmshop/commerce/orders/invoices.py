"""Invoices: written once, numbered without a gap, the same for ever; shown as a page and as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from uuid import UUID

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from tfmshop.commerce.orders.browse import load
from tfmshop.commerce.orders.errors import NoInvoice
from tfmshop.commerce.orders.model import Order, OrderStatus
from tfmshop.commerce.orders.paying import look
from tfmshop.commerce.orders.store_editing import INVOICE, ISSUE, SHIPPING_TAX_RATE
from tfmshop.commerce.vocabulary import Money, address_lines, spelled
from tfmshop.platform import clock, codec, pdf
from tfmshop.platform.db import Row, Tx

WRITTEN: Final = (OrderStatus.PARTIALLY_SHIPPED, OrderStatus.SHIPPED, OrderStatus.DELIVERED)
WRITTEN_BY_STAFF: Final = (OrderStatus.PAID, OrderStatus.PACKED, *WRITTEN)


class Seller(msgspec.Struct, frozen=True):
    """Who writes an invoice: name, lines of the address, tax number (empty where there is none)."""

    name: str
    address: list[str] = []
    tax_id: str = ""


class TaxShare(msgspec.Struct, frozen=True):
    """What of an order falls under a rate (millionths): the amount without tax, its tax, and whether prices had it in
    them.
    """

    rate: int
    net: Money
    tax: Money
    included: bool


class Document(msgspec.Struct, frozen=True):
    """What is kept of an invoice. Fields may be added, with a default, and never taken away."""

    seller: Seller
    order: Order
    taxes: list[TaxShare]


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it was written."""

    number: str
    issued_at: datetime
    document: Document


async def find(tx: Tx, order_id: UUID) -> Invoice:
    """The invoice of an order that was written already. `OrderNotFound`, `NoInvoice`."""
    row = await tx.row(INVOICE, order_id)
    if row is None:
        raise NoInvoice(status=(await look(tx, order_id)).status)
    return _invoice(row)


async def issue(tx: Tx, order_id: UUID, seller: Seller, *, by_staff: bool) -> Invoice:
    """The invoice of an order, written now if there is none: when something of it was sent, or when staff want it of a
    paid one. `OrderNotFound`, `NoInvoice`.
    """
    row = await tx.row(INVOICE, order_id)
    if row is None:
        due = await look(tx, order_id, hold=True)
        row = await tx.row(INVOICE, order_id)
    if row is None:
        paid_back = due.state == "refunded" and due.total.amount > 0
        written = WRITTEN_BY_STAFF if by_staff else WRITTEN
        if due.status not in written or paid_back or due.elsewhere:
            raise NoInvoice(status="paid back" if paid_back else due.status)
        order, _ = await load(tx, order_id)
        taxes = _taxes(order, await tx.value(SHIPPING_TAX_RATE, order_id))
        now = clock.now()
        row = await tx.row(ISSUE, order_id, now.year, now, codec.encode_text(Document(seller, order, taxes)))
        assert row is not None  # noqa: S101 - it was inserted
    return _invoice(row)


def page(invoice: Invoice) -> str:
    """An invoice as an HTML page of its own, with `style` in it and nothing else that is loaded or run."""
    return _templates().get_template("invoice.html").render(_sheet(invoice), style=style())


@cache
def style() -> str:
    """The style of the page."""
    return _kept("invoice.css").decode()


def printed(invoice: Invoice) -> bytes:
    """An invoice as PDF. Takes a tenth of a second of a core: not for the event loop. `CannotPrint`."""
    return pdf.printed(_kept("invoice.typ"), _sheet(invoice))


def _kept(name: str) -> bytes:
    return resources.files("tfmshop.commerce.orders").joinpath("sheets", name).read_bytes()


def _invoice(row: Row) -> Invoice:
    number = f"{row['year']}-{row['nth']:06d}"
    return Invoice(number, row["issued_at"], codec.decode_as(row["document"], Document))


def _taxes(order: Order, shipping_rate: int) -> list[TaxShare]:
    """The order's taxes by rate, the highest first, those in the prices apart from those on top."""
    parts = [(line.tax_rate, line.total.amount - line.discount.amount, line.tax.amount, line.tax_included.amount)
             for line in order.lines]  # fmt: skip
    tax, included = (
        order.tax.amount - sum(one[2] for one in parts),
        order.tax_included.amount - sum(p[3] for p in parts),
    )
    parts.append((shipping_rate, order.shipping.amount, tax, included))
    found: dict[tuple[int, bool], tuple[int, int]] = {}
    for rate, amount, tax, included in parts:
        net, taxed = found.get((rate, included > 0), (0, 0))
        found[rate, included > 0] = (net + amount - included, taxed + tax)
    currency = order.total.currency
    return [
        TaxShare(rate, Money(net, currency), Money(tax, currency), in_them)
        for (rate, in_them), (net, tax) in sorted(found.items(), reverse=True) if rate and (net or tax)
    ]  # fmt: skip


def _sheet(invoice: Invoice) -> dict[str, Any]:
    """What is printed, as text."""
    order, seller = invoice.document.order, invoice.document.seller
    sums = [("Goods", order.subtotal), ("Discount", order.discount), ("Shipping", order.shipping)]
    return {
        "number": invoice.number,
        "date": f"{invoice.issued_at:%d %B %Y}",
        "seller": {"name": seller.name, "address": seller.address, "tax_id": seller.tax_id},
        "buyer": [*address_lines(order.addresses.shipping), order.email],
        "order": order.number,
        "ordered": f"{order.placed_at:%d %B %Y}",
        "lines": [
            {"title": line.title, "sku": line.sku, "quantity": str(line.quantity), "price": spelled(line.unit_price),
             "rate": _percent(line.tax_rate), "total": spelled(line.total)}
            for line in order.lines
        ],
        "sums": [
            [name, ("-" if name == "Discount" else "") + spelled(money)] for name, money in sums if money.amount
        ],
        "taxes": [
            [_percent(one.rate), spelled(one.net), "included in the prices" if one.included else "added to the prices",
             spelled(one.tax)]
            for one in invoice.document.taxes
        ],
        "total": spelled(order.total),
    }  # fmt: skip


def _percent(rate: int) -> str:
    return f"{rate / 10_000:g} %"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tfmshop.commerce.orders", "sheets"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
