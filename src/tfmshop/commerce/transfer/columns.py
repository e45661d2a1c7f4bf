"""The columns of a file: those that must be there, and those that say nothing."""

from __future__ import annotations

from tfmshop.commerce.transfer import shopify
from tfmshop.commerce.transfer.errors import CannotImport
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.platform.files.rows import RowFile


def check(columns: list[str] | None, mapping: Mapping) -> None:
    """See that the columns of a file without which there is no product are there. `CannotImport`."""
    for name in (mapping.fields.sku, mapping.fields.title):
        if columns is not None and not name.startswith("=") and name not in columns:
            told = f"There is no column {name!r}; the columns are: {', '.join(columns)[:200]}."
            apart = next((f" Are they apart by {sign!r}? It takes commas." for sign in ";\t" if sign in columns[0]), "")
            raise CannotImport(why=told + apart)


def unused(source: RowFile, mapping: Mapping) -> list[str]:
    """The columns of a file that was read which say nothing; of Shopify's, which have many, none is told."""
    columns = source.columns or []
    return [] if set(columns) >= shopify.COLUMNS else [name[:100] for name in mapping.unused(columns)[:100]]
