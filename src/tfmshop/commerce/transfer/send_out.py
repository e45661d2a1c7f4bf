"""Exporting the catalogue: a row for each product, read a page at a time, so that memory stays the same."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

from tfmshop.commerce.transfer.store_export import COUNT, PAGE
from tfmshop.commerce.transfer.values import escaped
from tfmshop.platform import codec
from tfmshop.platform.db import Database

BATCH: Final = 1000
COLUMNS: Final = ("external_id", "sku", "slug", "title", "status", "price", "compare_at_price", "currency", "brand",
                  "category", "model", "description", "tags", "badge", "pictures", "specifications", "published_at",
                  "stock", "tax_class", "variants")  # fmt: skip
"""What an import without a mapping reads back."""


async def count(db: Database) -> int:
    """About how many products there are to export."""
    async with db.read() as tx:
        total: int = await tx.value(COUNT)
        return total


async def export(db: Database, kind: str) -> AsyncIterator[tuple[int, bytes]]:
    """The catalogue as `csv` or `jsonl`, on sale or not, in pieces with the number of products in each."""
    after = UUID(int=0)
    if kind == "csv":
        yield 0, _csv([list(COLUMNS)])
    while True:
        async with db.read() as tx:
            rows = await tx.rows(PAGE, after, BATCH)
        if not rows:
            return
        after = rows[-1]["id"]
        products = [codec.decode(row["product"]) for row in rows]
        yield len(rows), _csv([_cells(p) for p in products]) if kind == "csv" else _lines(products)


def _lines(products: list[dict[str, Any]]) -> bytes:
    return b"".join(codec.encode({name: p[name] for name in COLUMNS if p[name] is not None}) + b"\n" for p in products)


def _cells(product: dict[str, Any]) -> list[str]:
    return [_cell(name, product[name]) for name in COLUMNS]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in {"tags", "pictures"}:
        return (
            codec.encode_text(value) if any("|" in one or one[:1] == "[" for one in value) else escaped("|".join(value))
        )
    if isinstance(value, dict | list):
        return codec.encode_text(value) if value else ""
    return escaped(value) if isinstance(value, str) else str(value)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
