"""Invoices: written once, numbered without a gap, the same for ever; shown as a page and as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from tfmshop.commerce.orders.browse import load
from tfmshop.commerce.orders.errors import NoInvoice
from tfmshop.commerce.orders.model import Order, OrderStatus
from tfmshop.commerce.orders.paying import look
from tfmshop.commerce.orders.store_editing import INVOICE, ISSUE, SHIPPING_TAX_RATE
from tfmshop.commerce.vocabulary import Address, Money, spelled
from tfmshop.platform import clock, codec, pdf
from tfmshop.platform.db import Row, Tx


class Seller(msgspec.Struct, frozen=True):
    """Who writes an invoice: name, lines of the address, tax number (empty where there is none)."""

    name: str
    address: list[str] = []
    tax_id: str = ""


class TaxShare(msgspec.Struct, frozen=True):
    """What of an order falls under a rate (millionths): the amount without tax, and its tax."""

    rate: int
    net: Money
    tax: Money


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


async def issue(tx: Tx, order_id: UUID, seller: Seller) -> Invoice:
    """The invoice of an order that is or was paid, written now if there is none. `OrderNotFound`, `NoInvoice`."""
    due = await look(tx, order_id, hold=True)
    row = await tx.row(INVOICE, order_id)
    if row is None:
        if due.status in (OrderStatus.PLACED, OrderStatus.CANCELLED):
            raise NoInvoice(status=due.status)
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
    """The order's taxes by rate, the highest first. Prices have their tax in them or not, all of an order alike."""
    included = order.tax_included.amount > 0
    parts = [(line.tax_rate, line.total.amount - line.discount.amount, line.tax.amount) for line in order.lines]
    parts.append((shipping_rate, order.shipping.amount, order.tax.amount - sum(tax for _, _, tax in parts)))
    found: dict[int, tuple[int, int]] = {}
    for rate, amount, tax in parts:
        net, taxed = found.get(rate, (0, 0))
        found[rate] = (net + amount - (tax if included else 0), taxed + tax)
    currency = order.total.currency
    return [
        TaxShare(rate, Money(net, currency), Money(tax, currency))
        for rate, (net, tax) in sorted(found.items(), reverse=True) if rate
    ]  # fmt: skip


def _sheet(invoice: Invoice) -> dict[str, Any]:
    """What is printed, as text."""
    order, seller = invoice.document.order, invoice.document.seller
    sums = [("Goods", order.subtotal), ("Discount", order.discount), ("Shipping", order.shipping)]
    return {
        "number": invoice.number,
        "date": f"{invoice.issued_at:%d %B %Y}",
        "seller": {"name": seller.name, "address": seller.address, "tax_id": seller.tax_id},
        "buyer": [*_lines(order.addresses.shipping), order.email],
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
        "taxes": [[_percent(one.rate), spelled(one.net), spelled(one.tax)] for one in invoice.document.taxes],
        "tax": "included in the prices" if order.tax_included.amount else "added to the prices",
        "total": spelled(order.total),
    }  # fmt: skip


def _lines(address: Address) -> list[str]:
    town = " ".join(part for part in (address.postal_code, address.city, address.region) if part)
    lines = (address.company, address.name, address.line1, address.line2, town, address.country)
    return [line for line in lines if line]


def _percent(rate: int) -> str:
    return f"{rate / 10_000:g} %"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tfmshop.commerce.orders", "sheets"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
