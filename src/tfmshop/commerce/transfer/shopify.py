"""Shopify's product CSV: a product is the rows that share a Handle; its first row has the facts, each row a variant."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from tfmshop.commerce.catalog import NewProduct, NewVariant
from tfmshop.commerce.transfer.values import (
    BadImport,
    Raw,
    amount_of,
    clean,
    list_of,
    picture_of,
    required,
    short,
    text_of,
)
from tfmshop.commerce.vocabulary import slug
from tfmshop.platform.files.rows import Line

COLUMNS: Final = frozenset({"Handle", "Title", "Variant Price"})
"""A file with these columns is Shopify's."""
MOST_ROWS, MOST_CHARACTERS = 10_000, 8 << 20
"""Of one product, so that no file fills the memory."""
_BLOCK: Final = re.compile(r"</(?:p|div|li|h\d|tr)>|<br\s*/?>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_OPTIONS: Final = (1, 2, 3)


_KEPT: Final = {
    "description": "Body (HTML)", "brand": "Vendor", "category": "Type", "tags": "Tags", "pictures": "Image Src",
    "compare_at_price": "Variant Compare At Price",
}  # fmt: skip
"""Properties that a known product keeps when the file has not their column."""


def groups(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines that follow each other with the same Handle, together; a line that cannot be read stands alone."""
    group: list[Line] = []
    characters = 0
    for line in lines:
        same = group and line.row is not None and group[0].row is not None
        characters += len(line.raw)
        if (
            same
            and len(group) < MOST_ROWS
            and characters < MOST_CHARACTERS
            and (line.row or {}).get("Handle") == (group[0].row or {}).get("Handle")
        ):
            group.append(line)
            continue
        if group:
            yield group
        group, characters = [line], len(line.raw)
    if group:
        yield group


def product(rows: Sequence[Raw], currency: str) -> NewProduct:
    """The product that the rows of one Handle describe. `BadImport`."""
    first = rows[0]
    handle = required(first, "Handle", "Handle")
    names = [text_of(first, f"Option{n} Name", "option") for n in _OPTIONS]
    sold = [row for row in rows if _is_variant(row)]
    variants = _apart([_variant(row, handle, names, currency) for row in sold], sold)
    if not variants:
        raise BadImport("Variant Price is missing")
    if doubled := [sku for sku, times in Counter(variant.sku for variant in variants).items() if times > 1]:
        raise BadImport(f"two variants have the SKU {short(min(doubled))}")
    kind = text_of(first, "Type", "category")
    only = len(variants) == 1 and not variants[0].options
    lead = variants[0]
    path = tuple(part.strip() for part in (kind or "").split(">") if part.strip())[:20]
    return NewProduct(
        sku=lead.sku, external_id=handle, slug=slug(handle) or None, title=required(first, "Title", "title"),
        description=_plain(text_of(first, "Body (HTML)", "description") or ""), brand=text_of(first, "Vendor", "brand"),
        category=path, tags=list_of(first, "Tags", ","),
        price=lead.price, compare_at_price=None, currency=currency, status=_status(first),
        pictures=_pictures(rows), variants=variants, stock=lead.stock if only else None,
        kept=frozenset({"model", "badge", "specifications", *(n for n, name in _KEPT.items() if name not in first),
                        *(() if first.get("Variant SKU") else ("sku",))}),
    )  # fmt: skip


def _is_variant(row: Raw) -> bool:
    """Whether a row is a variant, or only another picture. `BadImport` for a variant without a price."""
    if row.get("Variant Price"):
        return True
    if named := text_of(row, "Variant SKU", "sku") or text_of(row, "Option1 Value", "option"):
        raise BadImport(f"Variant Price is missing in {short(named)}")
    return False


def _variant(row: Raw, handle: str, names: list[str | None], currency: str) -> NewVariant:
    values = [text_of(row, f"Option{n} Value", "option") for n in _OPTIONS]
    options = {name: value for name, value in zip(names, values, strict=True) if name and value}
    if options == {"Title": "Default Title"}:
        options = {}
    made = "-".join(part for part in (slug(handle), *(slug(value) for value in options.values())) if part)
    price = amount_of(row, "Variant Price", "major", currency, needed=True) or 0
    return NewVariant(
        sku=text_of(row, "Variant SKU", "sku") or made or handle, title=" / ".join(options.values()), options=options,
        price=price, compare_at_price=_compare_at(row, currency),
        stock=_units(row), weight_g=_grams(row), barcode=text_of(row, "Variant Barcode", "barcode"),
        picture=text_of(row, "Variant Image", "picture"),
    )  # fmt: skip


def _apart(variants: list[NewVariant], rows: list[Raw]) -> list[NewVariant]:
    """Variants whose made SKUs differ, where their options do only in signs or letters that a SKU has not."""
    met: Counter[str] = Counter()
    apart = []
    for variant, row in zip(variants, rows, strict=True):
        met[variant.sku] += 1
        again = met[variant.sku] > 1 and not row.get("Variant SKU")
        apart.append(msgspec.structs.replace(variant, sku=f"{variant.sku}-{met[variant.sku]}") if again else variant)
    return apart


def _compare_at(row: Raw, currency: str) -> int | UnsetType | None:
    name = "Variant Compare At Price"
    return amount_of(row, name, "major", currency, needed=False) if name in row else UNSET


def _units(row: Raw) -> int | None:
    """What is in stock, where the file tells; Shopify also counts what it owes, below zero."""
    if "Variant Inventory Qty" not in row:
        return None
    text = str(row.get("Variant Inventory Qty") or "0").strip()
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise BadImport(f"Variant Inventory Qty is not a number of units: {short(text)}")
    return max(int(text), 0)


def _grams(row: Raw) -> int | None:
    text = str(row.get("Variant Grams") or "").strip()
    if text in {"", "0", "0.0"}:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        raise BadImport(f"Variant Grams is not a weight: {short(text)}")
    return round(float(text))


def _status(row: Raw) -> str | None:
    given = (text_of(row, "Status", "status") or "").lower()
    if given and given not in {"draft", "active", "archived"}:
        raise BadImport(f"Status is none of draft, active, archived: {short(given)}")
    if given or "Published" not in row:
        return given or None
    return "active" if str(row["Published"] or "true").strip().lower() == "true" else "draft"


def _pictures(rows: Sequence[Raw]) -> list[str]:
    placed = [(int(position) if (position := str(row.get("Image Position") or "")[:6]).isdecimal() else 999, n, url)
              for n, row in enumerate(rows) if (url := text_of(row, "Image Src", "picture"))]  # fmt: skip
    shown = [text_of(row, "Variant Image", "picture") for row in rows]
    found = dict.fromkeys([*(url for *_, url in sorted(placed)), *(url for url in shown if url)])
    return [picture_of(url) for url in found]


def _plain(body: str) -> str:
    """HTML as text: blocks become lines, tags go."""
    text = html.unescape(_TAG.sub("", _BLOCK.sub("\n", body)))
    return clean("\n".join(line.strip() for line in text.splitlines() if line.strip()))
