"""Mappings: how the columns of a foreign file become products. Written as TOML; docs/imports.md explains them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as AnyMapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from tfmshop.commerce.catalog.model import NewProduct
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT

Raw = AnyMapping[str, Any]

CONSTANT: Final = "="
"""A mapped value that starts with this is itself the value, not the name of a column."""
LONGEST: Final = {
    "title": 500,
    "sku": 100,
    "external_id": 200,
    "model": 500,
    "brand": 200,
    "description": 100_000,
}
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class BadImport(Exception):
    """A row that cannot become a product, or a mapping that makes no sense; the text says why."""


class Fields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which column (or `=constant`) gives each property of a product."""

    sku: str = "sku"
    title: str = "title"
    price: str = "price"
    external_id: str = "external_id"
    model: str = "model"
    description: str = "description"
    brand: str = "brand"
    category: list[str] = msgspec.field(default_factory=lambda: ["category"])
    currency: str = "currency"
    compare_at_price: str = "compare_at_price"
    tags: str = "tags"
    pictures: str = "pictures"
    published_at: str = "published_at"
    stock: str = "stock"


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How values are written in the file."""

    price_unit: str = "minor"
    list_separator: str = "|"
    category_separator: str = ">"


class Mapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How rows become products; without a file, columns have the names of the properties."""

    fields: Fields = msgspec.field(default_factory=Fields)
    options: Options = msgspec.field(default_factory=Options)
    specifications: dict[str, str] = msgspec.field(default_factory=dict)
    """Prefixes of columns that are specifications, and their type: text, number or flag."""

    @classmethod
    def read(cls, text: str) -> Mapping:
        """A mapping from TOML. `BadImport`."""
        try:
            mapping = msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise BadImport(str(error)) from None
        if mapping.options.price_unit not in {"minor", "major"}:
            raise BadImport("options.price_unit must be minor or major")
        if unknown := set(mapping.specifications.values()) - {"text", "number", "flag"}:
            raise BadImport(f"specifications have the types text, number and flag, not {unknown.pop()}")
        return mapping

    def product(self, row: Raw, currency: str) -> NewProduct:
        """The product that `row` describes; amounts without a currency are in `currency`. `BadImport`."""
        fields = self.fields
        return NewProduct(
            sku=_required(row, fields.sku, "sku"),
            title=_required(row, fields.title, "title"),
            price=self._amount(row, fields.price, required=True) or 0,
            currency=_currency(_text(row, fields.currency, "currency") or currency),
            external_id=_text(row, fields.external_id, "external_id"),
            model=_text(row, fields.model, "model"),
            description=_text(row, fields.description, "description") or "",
            brand=_text(row, fields.brand, "brand"),
            category=self._category(row),
            compare_at_price=self._amount(row, fields.compare_at_price, required=False),
            tags=_list(row, fields.tags, self.options.list_separator),
            specifications=self._specifications(row),
            pictures=_list(row, fields.pictures, self.options.list_separator),
            published_at=_moment(row, fields.published_at),
            stock=_stock(row, fields.stock),
        )

    def _amount(self, row: Raw, column: str, *, required: bool) -> int | None:
        value = _value(row, column)
        if value is None:
            if required:
                raise BadImport(f"{column} is missing")
            return None
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise BadImport(f"{column} is not a number: {_short(value)}") from None
        amount = number * 100 if self.options.price_unit == "major" else number
        if isinstance(value, bool) or not amount.is_finite() or amount != amount.to_integral_value():
            raise BadImport(f"{column} is not a whole number of minor units: {_short(value)}")
        if not 0 <= amount <= LARGEST_AMOUNT:
            raise BadImport(f"{column} is out of range: {_short(value)}")
        return int(amount)

    def _category(self, row: Raw) -> tuple[str, ...]:
        path: list[str] = []
        for column in self.fields.category:
            text = _text(row, column, "category") or ""
            path += [part.strip()[:200] for part in text.split(self.options.category_separator) if part.strip()]
        return tuple(path[:10])

    def _specifications(self, row: Raw) -> dict[str, Any]:
        given = row.get("specifications")
        found: dict[str, Any] = {}
        if isinstance(given, dict):
            found = {_clean(str(name)): _fact(value) for name, value in given.items()}
        for column, value in row.items():
            for prefix, kind in self.specifications.items():
                if column.startswith(prefix) and value not in (None, ""):
                    name = re.sub("_+", "_", column[len(prefix) :]).strip("_")
                    found[f"{name}_{kind}" if name in found else name] = _typed(value, kind, column)
        return found


def _value(row: Raw, column: str) -> Any:
    if column.startswith(CONSTANT):
        return column[len(CONSTANT) :]
    value = row.get(column)
    return None if value == "" else value


def _text(row: Raw, column: str, name: str) -> str | None:
    value = _value(row, column)
    if value is None:
        return None
    if isinstance(value, dict | list | bool):
        raise BadImport(f"{name} is not text: {_short(value)}")
    text = _clean(str(value))
    if len(text) > LONGEST.get(name, 1000):
        raise BadImport(f"{name} is longer than {LONGEST.get(name, 1000)} characters")
    return text or None


def _required(row: Raw, column: str, name: str) -> str:
    text = _text(row, column, name)
    if text is None:
        raise BadImport(f"{name} is missing")
    return text


def _list(row: Raw, column: str, separator: str) -> list[str]:
    value = _value(row, column)
    parts = value if isinstance(value, list) else str(value).split(separator) if value is not None else []
    return [_clean(str(part))[:1000] for part in parts if str(part).strip()]


def _moment(row: Raw, column: str) -> datetime | None:
    value = _value(row, column)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadImport(f"{column} is not an ISO 8601 time: {_short(value)}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stock(row: Raw, column: str) -> int | None:
    value = _value(row, column)
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value).strip()):
        raise BadImport(f"{column} is not a number of units: {_short(value)}")
    return int(value)


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise BadImport(f"currency is not an ISO 4217 code: {_short(text)}")
    return text


def _typed(value: Any, kind: str, column: str) -> Any:
    if kind == "text":
        return _clean(str(value))
    if kind == "flag":
        if str(value).lower() not in {"true", "false", "1", "0", "yes", "no"}:
            raise BadImport(f"{column} is not true or false: {_short(value)}")
        return str(value).lower() in {"true", "1", "yes"}
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise BadImport(f"{column} is not a number: {_short(value)}") from None
    return _fact(number)


def _fact(value: Any) -> Any:
    if isinstance(value, float):
        if value != value or abs(value) > 1e300:
            raise BadImport(f"not a number that can be kept: {value}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value if isinstance(value, bool | int) else _clean(str(value))


def _clean(text: str) -> str:
    return CONTROL.sub("", text).encode("utf-8", "replace").decode().strip()


def _short(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
