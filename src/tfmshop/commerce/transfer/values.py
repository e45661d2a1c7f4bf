"""Values of foreign files: text, numbers and times, checked one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, YEARS, digits
from tfmshop.platform import codec

Raw = AnyMapping[str, Any]

CONSTANT: Final = "="
"""A mapped value that starts with this is itself the value, not the name of a column."""
LONGEST: Final = {
    "title": 500,
    "tax_class": 50,
    "sku": 100,
    "external_id": 200,
    "model": 500,
    "brand": 200,
    "barcode": 100,
    "variant's title": 200,
    "description": 100_000,
}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class BadImport(Exception):
    """A row that cannot become a product, or a mapping that makes no sense; the text says why."""


def value_of(row: Raw, column: str) -> Any:
    """What stands in a column; None when nothing does."""
    if column.startswith(CONSTANT):
        return column[len(CONSTANT) :]
    value = row.get(column)
    return None if value == "" else value


def has(row: Raw, columns: str | list[str]) -> bool:
    """Whether a row has a column, or one of some, be it empty; a constant is there always."""
    names = [columns] if isinstance(columns, str) else columns
    return any(name.startswith(CONSTANT) or name in row for name in names)


def text_of(row: Raw, column: str, name: str) -> str | None:
    """Text without control characters, or None. `BadImport`."""
    value = value_of(row, column)
    if value is None:
        return None
    if isinstance(value, dict | list | bool):
        raise BadImport(f"{name} is not text: {short(value)}")
    text = clean(str(value))
    if len(text) > LONGEST.get(name, 1000):
        raise BadImport(f"{name} is longer than {LONGEST.get(name, 1000)} characters")
    return text or None


def required(row: Raw, column: str, name: str) -> str:
    """Text that must be there. `BadImport`."""
    text = text_of(row, column, name)
    if text is None:
        raise BadImport(f"{name} is missing")
    return text


def list_of(row: Raw, column: str, separator: str) -> list[str]:
    """The parts of a list, given as one or as separated text."""
    value = value_of(row, column)
    if isinstance(value, str) and value.startswith("["):
        value = object_of(value, column)
    parts = value if isinstance(value, list) else str(value).split(separator) if value is not None else []
    return [clean(str(part))[:1000] for part in parts if str(part).strip()]


def object_of(value: Any, name: str) -> Any:
    """A list or object, as such or as its JSON; None when there is nothing. `BadImport`."""
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            value = codec.decode(value)
        except codec.Malformed:
            raise BadImport(f"{name} is not JSON: {short(value)}") from None
    return value if isinstance(value, dict | list) else None


def one_of(row: Raw, column: str, allowed: tuple[str, ...]) -> str | None:
    """One of a few words, or None. `BadImport`."""
    text = (text_of(row, column, column) or "").lower()
    if text and text not in allowed:
        raise BadImport(f"{column} is none of {', '.join(allowed)}: {short(text)}")
    return text or None


def moment_of(row: Raw, column: str) -> datetime | None:
    """A time in UTC, or None. `BadImport`."""
    value = value_of(row, column)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadImport(f"{column} is not an ISO 8601 time: {short(value)}") from None
    if moment.year not in YEARS:
        raise BadImport(f"{column} is out of range: {short(value)}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def amount_of(row: Raw, column: str, unit: str, currency: str, *, needed: bool) -> int | None:
    """An amount in minor units of a currency, from `minor` or `major` ones; None where nothing is. `BadImport`."""
    value = value_of(row, column)
    if value is None:
        if needed:
            raise BadImport(f"{column} is missing")
        return None
    try:
        number = Decimal(str(value).strip())
        amount = number * 10 ** digits(currency) if unit == "major" else number
        whole = amount.is_finite() and amount == amount.to_integral_value()
    except ArithmeticError:
        raise BadImport(f"{column} is not a number: {short(value)}") from None
    if isinstance(value, bool) or not whole:
        raise BadImport(f"{column} is not a whole number of minor units: {short(value)}")
    if not 0 <= amount <= LARGEST_AMOUNT:
        raise BadImport(f"{column} is out of range: {short(value)}")
    return int(amount)


def stock_of(row: Raw, column: str) -> int | None:
    """A number of units, or None. `BadImport`."""
    value = value_of(row, column)
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value).strip()):
        raise BadImport(f"{column} is not a number of units: {short(value)}")
    return int(value)


def currency_of(text: str) -> str:
    """A currency code. `BadImport`."""
    if not re.fullmatch("[A-Z]{3}", text):
        raise BadImport(f"currency is not an ISO 4217 code: {short(text)}")
    return text


def typed(value: Any, kind: str, column: str) -> Any:
    """A specification's value as its declared type. `BadImport`."""
    if kind == "text":
        return clean(str(value))
    if kind == "flag":
        if str(value).lower() not in {"true", "false", "1", "0", "yes", "no"}:
            raise BadImport(f"{column} is not true or false: {short(value)}")
        return str(value).lower() in {"true", "1", "yes"}
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadImport(f"{column} is not a number: {short(value)}") from None
    return fact(number)


def fact(value: Any) -> Any:
    """A value that JSON and PostgreSQL can keep. `BadImport`."""
    if isinstance(value, float):
        if value != value or abs(value) > 1e300:
            raise BadImport(f"not a number that can be kept: {value}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value if isinstance(value, bool | int) else clean(str(value))


def escaped(text: str) -> str:
    """Text that a spreadsheet does not take for a formula (`=`, `+`, `-`, `@` in front)."""
    return f"'{text}" if text[:1] in (*_FORMULA, "'") else text


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in (*_FORMULA, "'") else text


def clean(text: str) -> str:
    """Text without control characters and surrounding space."""
    return CONTROL.sub("", text).encode("utf-8", "replace").decode().strip()


def short(value: object) -> str:
    """A value as it is quoted in a reason."""
    return repr(text if len(text := str(value)) <= 60 else f"{text[:57]}...")


def picture_of(text: str) -> str:
    """The address of a picture: on the web, or one of the shop's own. `BadImport` for any other, such as a script."""
    if not text.lower().startswith(("https://", "http://", "/")):
        raise BadImport(f"picture {text[:80]!r} is no address that starts with https://, http:// or /")
    return text
