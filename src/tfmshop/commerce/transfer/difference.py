"""What an import changes, or would: by product and field."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from tfmshop.commerce import catalog


class FieldChange(msgspec.Struct, frozen=True):
    """One field before and after; None where there was, or is, nothing."""

    field: str
    before: Any
    after: Any


class ProductChange(msgspec.Struct, frozen=True):
    """One product that is `added`, and has no id yet, or `changed`, with every field that differs."""

    product_id: UUID | None
    external_id: str | None
    sku: str
    title: str
    what: str
    fields: list[FieldChange]


Stock = dict[str, int]
"""Free units by SKU."""


def difference(
    product_id: UUID, before: str | None, after: str, stock_before: Stock, stock_after: Stock
) -> ProductChange | None:
    """What differs between two snapshots of a product; None when nothing does."""
    old, new = catalog.snapshot.facts(before), catalog.snapshot.facts(after)
    old |= {f"variants.{sku}.stock": units for sku, units in stock_before.items()}
    new |= {f"variants.{sku}.stock": units for sku, units in stock_after.items()}
    fields = [
        FieldChange(name, old.get(name), new.get(name))
        for name in [*new, *(name for name in old if name not in new)]
        if old.get(name) != new.get(name)
    ]
    if not fields:
        return None
    what = "added" if before is None else "changed"
    return ProductChange(product_id if before else None, new["external_id"], new["sku"], new["title"], what, fields)
