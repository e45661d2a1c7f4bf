"""Order lines of another shop: read one by one, gathered into orders and cancellations, or rejected with a reason.

A file has the columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID and Country, a
row for each line. An InvoiceNo that begins with C cancels earlier lines: its quantities are negative. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

COLUMNS: Final = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
POSTAGE: Final = frozenset({"POST", "DOT", "C2"})
"""Stock codes that are not goods but their carriage; beside goods they become the order's shipping."""
LARGEST: Final = 2**31 - 1
FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that can be worked with, the `nth` of its invoice; money in minor units, time in UTC."""

    number: int
    nth: int
    invoice: str
    sku: str
    title: str
    quantity: int
    unit_price: int
    at: datetime
    customer: str
    country: str

    @property
    def value(self) -> int:
        """What the line adds to the books: negative for a cancellation."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is in no order: its number in the file, why, and what it would have added to the books."""

    number: int
    why: str
    value: Decimal
    row: dict[str, Any]


@dataclass(slots=True)
class Intake:
    """A whole file, gathered. `lines` and `value` are those of the file, whatever became of them."""

    lines: int = 0
    value: Decimal = Decimal(0)
    orders: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    cancellations: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, row: dict[str, Any] | None, problem: str = "") -> None:
        """Take in a row, or the reason why it could not be read."""
        self.lines += 1
        if row is None:
            self.rejected.append(Rejected(number, problem, Decimal(0), {}))
            return
        value = _value(row)
        self.value += value
        invoice = str(row.get("InvoiceNo") or "").strip()
        self._seen[invoice] += 1
        entry = _read(number, invoice, self._seen[invoice], row)
        if isinstance(entry, str):
            self.reject(number, entry, value, row)
        elif entry.quantity < 0:
            self.cancellations.append(entry)
        else:
            self.orders[entry.invoice].append(entry)

    def reject(self, number: int, why: str, value: Decimal, row: dict[str, Any]) -> None:
        """Put a line aside."""
        self.rejected.append(Rejected(number, why, value, row))


def as_row(entry: Entry) -> dict[str, Any]:
    """An entry in the columns of the file."""
    price = f"{Decimal(entry.unit_price) / 100:.2f}"
    at = entry.at.strftime(FORMATS[0])
    values = (entry.invoice, entry.sku, entry.title, entry.quantity, at, price, entry.customer, entry.country)
    return dict(zip(COLUMNS, values, strict=True))


def _value(row: dict[str, Any]) -> Decimal:
    quantity, price = _whole(row.get("Quantity")), _decimal(row.get("UnitPrice"))
    return Decimal(0) if quantity is None or price is None else quantity * price


def _read(number: int, invoice: str, nth: int, row: dict[str, Any]) -> Entry | str:
    """A line as an entry, or why it cannot be one."""
    sku = str(row.get("StockCode") or "").strip()
    quantity, price = _whole(row.get("Quantity")), _decimal(row.get("UnitPrice"))
    at = _time(str(row.get("InvoiceDate") or ""))
    if not invoice or not sku:
        return "no invoice number or stock code"
    if quantity is None or price is None:
        return "the quantity or the price is not a number"
    if at is None:
        return "the date is not one"
    minor = price * 100
    customer = str(row.get("CustomerID") or "").strip().removesuffix(".0")
    why = _why_not(invoice, quantity, minor, customer)
    if why is not None:
        return why
    title = str(row.get("Description") or "").strip() or sku
    country = str(row.get("Country") or "").strip()
    return Entry(number, nth, invoice, sku, title, quantity, int(minor), at, customer, country)


def _why_not(invoice: str, quantity: int, minor: Decimal, customer: str) -> str | None:
    if minor < 0:
        return "a negative price"
    if minor != int(minor):
        return "a price of parts of a penny"
    if abs(quantity) > LARGEST or minor > 10**13:
        return "a quantity or price beyond all measure"
    if quantity == 0:
        return "no units"
    if invoice[:1].upper() == "C":
        return "a cancellation of less than nothing" if quantity > 0 else None
    if quantity < 0:
        return "stock written off, not an order"
    if minor == 0 and not customer:
        return "stock found, not an order: no price and no customer"
    return None


def _whole(value: object) -> int | None:
    try:
        return int(str(value).strip())
    except ValueError:
        return None


def _decimal(value: object) -> Decimal | None:
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _time(text: str) -> datetime | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
