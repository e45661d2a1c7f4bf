"""Mappings: how the columns of a foreign file become products. Written as TOML; docs/imports.md explains them."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

import msgspec

from tfmshop.commerce.catalog import NewProduct, NewVariant
from tfmshop.commerce.transfer.values import (
    BadImport,
    Raw,
    amount_of,
    clean,
    currency_of,
    fact,
    has,
    list_of,
    moment_of,
    object_of,
    one_of,
    picture_of,
    required,
    short,
    stock_of,
    text_of,
    typed,
)
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, slug

MOST_UNITS: Final = 10**9
HEAVIEST: Final = 2 * 10**9
"""Grams."""
_KEPT: Final = ("model", "description", "brand", "category", "compare_at_price", "tags", "pictures", "badge")
"""Properties that a known product keeps when the file has no column for them."""


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
    slug: str = "slug"
    status: str = "status"
    badge: str = "badge"
    tax_class: str = "tax_class"


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
        except ValueError as error:
            raise BadImport(str(error)) from None
        except RecursionError:
            raise BadImport("it is nested too deeply") from None
        if not (mapping.options.list_separator and mapping.options.category_separator):
            raise BadImport("a separator must not be empty")
        if mapping.options.price_unit not in {"minor", "major"}:
            raise BadImport("options.price_unit must be minor or major")
        if unknown := set(mapping.specifications.values()) - {"text", "number", "flag"}:
            raise BadImport(f"specifications have the types text, number and flag, not {unknown.pop()}")
        return mapping

    def product(self, row: Raw, currency: str) -> NewProduct:
        """The product that `row` describes; amounts without a currency are in `currency`. `BadImport`."""
        fields, unit = self.fields, self.options.price_unit
        currency = currency_of(text_of(row, fields.currency, "currency") or currency)
        sku, title = required(row, fields.sku, "sku"), required(row, fields.title, "title")
        variants, stock = _variants(row.get("variants")), stock_of(row, fields.stock)
        price = amount_of(row, fields.price, unit, currency, needed=True) or 0
        if variants and (price != variants[0].price or stock is not None):
            raise BadImport("price and stock are those of the variants: change them there")
        return NewProduct(
            sku=sku,
            title=title,
            price=price,
            currency=currency,
            external_id=text_of(row, fields.external_id, "external_id"),
            model=text_of(row, fields.model, "model"),
            description=text_of(row, fields.description, "description") or "",
            brand=text_of(row, fields.brand, "brand"),
            category=self._category(row),
            compare_at_price=amount_of(row, fields.compare_at_price, unit, currency, needed=False),
            tags=list_of(row, fields.tags, self.options.list_separator),
            specifications=self._specifications(row),
            pictures=[picture_of(one) for one in list_of(row, fields.pictures, self.options.list_separator)],
            published_at=moment_of(row, fields.published_at),
            stock=stock,
            slug=slug(text_of(row, fields.slug, "slug") or "") or None,
            status=one_of(row, fields.status, ("draft", "active", "archived")),
            badge=text_of(row, fields.badge, "badge"),
            tax_class=text_of(row, fields.tax_class, "tax_class"),
            variants=variants,
            kept=self._kept(row),
        )

    def unused(self, columns: list[str]) -> list[str]:
        """Columns of a file that say nothing."""
        fields = msgspec.structs.asdict(self.fields) | {"category": ""}
        used = {"specifications", "variants", *fields.values(), *self.fields.category}
        return [one for one in columns if one not in used and not one.startswith(tuple(self.specifications))]

    def _kept(self, row: Raw) -> frozenset[str]:
        """What `row` says nothing of, not even that it is empty."""
        columns = {name: getattr(self.fields, name) for name in _KEPT}
        kept = {name for name, column in columns.items() if not has(row, column)}
        if "specifications" not in row and not any(c.startswith(p) for c in row for p in self.specifications):
            kept.add("specifications")
        return frozenset(kept)

    def _category(self, row: Raw) -> tuple[str, ...]:
        path: list[str] = []
        for column in self.fields.category:
            text = text_of(row, column, "category") or ""
            path += [part.strip()[:200] for part in text.split(self.options.category_separator) if part.strip()]
        return tuple(path[:20])

    def _specifications(self, row: Raw) -> dict[str, Any]:
        given = object_of(row.get("specifications"), "specifications") or {}
        found: dict[str, Any] = {}
        if isinstance(given, dict):
            found = {clean(str(name)): fact(value) for name, value in given.items()}
        for column, value in row.items():
            for prefix, kind in self.specifications.items():
                if column.startswith(prefix) and value not in (None, ""):
                    name = re.sub("_+", "_", column[len(prefix) :]).strip("_")
                    found[f"{name}_{kind}" if name in found else name] = typed(value, kind, column)
        return found


def _variants(given: Any) -> list[NewVariant]:
    """Variants as they are exported: a list of objects, or the JSON of one. `BadImport`."""
    try:
        variants = msgspec.convert(object_of(given, "variants") or [], list[NewVariant])
    except msgspec.ValidationError as error:
        raise BadImport(f"variants: {error}") from None
    variants = [_clean(variant) for variant in variants]
    if len({variant.sku for variant in variants}) < len(variants):
        raise BadImport("variants: two have the same SKU")
    return variants


def _clean(variant: NewVariant) -> NewVariant:
    """A variant with text that can be kept, each number within its bounds. `BadImport`."""
    row = msgspec.structs.asdict(variant)
    weight = variant.weight_g
    compare_at = None if variant.compare_at_price is msgspec.UNSET else variant.compare_at_price
    if not 0 <= variant.price <= LARGEST_AMOUNT or not 0 <= (variant.stock or 0) < MOST_UNITS:
        raise BadImport(f"variants: {short(variant.sku)} has a price or stock out of range")
    if not 0 <= (compare_at or 0) <= LARGEST_AMOUNT or not 0 <= (weight or 0) <= HEAVIEST:
        raise BadImport(f"variants: {short(variant.sku)} has a weight or a price to compare with out of range")
    options = variant.options and {clean(name)[:200]: clean(value)[:200] for name, value in variant.options.items()}
    title = text_of(row, "title", "variant's title")
    return msgspec.structs.replace(
        variant, sku=required(row, "sku", "sku"), title=title if variant.title is None else title or "",
        options=options,
        barcode=text_of(row, "barcode", "barcode"),
        picture=text_of(row, "picture", "picture"),
    )  # fmt: skip
