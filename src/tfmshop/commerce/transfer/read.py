"""From the rows of a file to products, or to the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from tfmshop.commerce.catalog import NewProduct
from tfmshop.commerce.transfer import shopify
from tfmshop.commerce.transfer.columns import check
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.commerce.transfer.values import BadImport, unescaped
from tfmshop.platform.files.rows import Line, RowFile

LONGEST_REASON: Final = 500
"""Characters: it may quote what the file has."""


@dataclass(frozen=True, slots=True)
class Found:
    """What rows came to: a product, or the reason why it cannot be one."""

    lines: list[Line]
    product: NewProduct | None
    reason: str = ""

    @property
    def first(self) -> int:
        """The number of the first row."""
        return self.lines[0].number

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.lines[-1].number


def read(source: RowFile, mapping: Mapping, currency: str, after: int) -> Iterator[Found]:
    """Every product of a file from line `after` on. A Shopify file is known by its columns. `CannotImport`."""
    with closing(source.lines()) as lines:
        first = next(lines, None)
        if first is not None:
            yield from _products(chain([first], lines), source.columns, mapping, currency, after)


def _products(
    lines: Iterator[Line], columns: list[str] | None, mapping: Mapping, currency: str, after: int
) -> Iterator[Found]:
    is_shopify = columns is not None and set(columns) >= shopify.COLUMNS
    groups: Iterable[list[Line]] = shopify.groups(lines) if is_shopify else ([line] for line in lines)
    if not is_shopify:
        check(columns, mapping)
    for group in groups:
        if group[-1].number <= after:
            continue
        rows = [one.row if columns is None else _unescaped(one.row) for one in group if one.row is not None]
        try:
            if not rows:
                raise BadImport(group[0].problem)
            product = shopify.product(rows, currency) if is_shopify else mapping.product(rows[0], currency)
        except BadImport as error:
            yield Found(group, None, str(error)[:LONGEST_REASON])
        else:
            yield Found(group, product)


def _unescaped(row: dict[str, Any]) -> dict[str, Any]:
    """Cells of a spreadsheet without the sign that keeps them from being formulas."""
    return {name: unescaped(value) if isinstance(value, str) else value for name, value in row.items()}
