"""The indexes that are there, against those that this release needs and those that its statements use."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from tfmshop.platform.db import Query, Tx

INDEXES = Query(
    "analysis.indexes",
    """
SELECT format('%I.%I', n.nspname, i.relname) AS name, format('%I.%I', n.nspname, t.relname) AS of_table,
    pg_get_indexdef(x.indexrelid) AS definition, pg_relation_size(x.indexrelid) AS bytes,
    coalesce(s.idx_scan, 0) AS scans, x.indisunique AS is_unique,
    EXISTS (SELECT FROM pg_constraint AS o WHERE o.conindid = x.indexrelid) AS is_constraint, x.indisvalid AS is_valid,
    a.amname AS method, x.indkey::text AS columns,
    concat_ws(' ', x.indclass::text, x.indoption::text, x.indcollation::text) AS order_by,
    coalesce(pg_get_expr(x.indpred, x.indrelid), '') || coalesce(pg_get_expr(x.indexprs, x.indrelid), '') AS expressions
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace JOIN pg_am AS a ON a.oid = i.relam
LEFT JOIN pg_stat_user_indexes AS s ON s.indexrelid = x.indexrelid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY name
""",
)
SINCE = Query(
    "analysis.statistics_since", "SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()"
)
_NEEDED: Final = Path(__file__).parents[2] / "migrations" / "indexes.sql"
_NAME: Final = re.compile(r"CREATE (?:UNIQUE )?INDEX (\S+) ON (\w+)\.(\w+) ")


class Index(msgspec.Struct, frozen=True):
    """An index that is there. `columns` are numbers of columns, 0 for an expression."""

    name: str
    table: str
    definition: str
    bytes: int
    scans: int
    is_unique: bool
    is_constraint: bool
    is_valid: bool
    method: str
    columns: str
    order: str
    expressions: str

    def is_covered_by(self, other: Index) -> bool:
        """Whether another index serves everything that this one does: the same, or the same and more columns."""
        same = (self.table, self.method, self.expressions) == (other.table, other.method, other.expressions)
        if self.name == other.name or not same or not other.is_valid or self.is_unique or self.is_constraint:
            return False
        if (self.columns, self.order) == (other.columns, other.order):
            return other.is_unique or other.is_constraint or self.name > other.name
        mine, theirs = self.columns.split(), other.columns.split()
        return self.method == "btree" and theirs[: len(mine)] == mine and all(
            a[: len(b)] == b for a, b in zip(other.ways(), self.ways(), strict=True)
        )  # fmt: skip

    def ways(self) -> list[list[str]]:
        """How its columns are ordered: operator classes, directions, collations."""
        parts = self.order.split()
        third = len(parts) // 3
        return [parts[:third], parts[third : 2 * third], parts[2 * third :]]


async def indexes(tx: Tx) -> list[Index]:
    """Every index that is there, by name."""
    return [Index(*row) for row in await tx.rows(INDEXES)]


async def counted_since(tx: Tx) -> datetime | None:
    """Since when reads of indexes are counted; None: for as long as there is the database."""
    found: datetime | None = await tx.value(SINCE)
    return found


@cache
def schemas() -> frozenset[str]:
    """The schemas that are the shop's own."""
    return frozenset(name.partition(".")[0] for name in needed())


@cache
def needed() -> dict[str, str]:
    """The indexes of this release: their names with schema, and how each is made."""
    found = {}
    for line in _NEEDED.read_text().splitlines():
        if (name := _NAME.match(line)) is not None:
            found[f"{name[2]}.{name[1]}"] = line.rstrip(";")
    return found


def table_of(definition: str) -> str:
    """The table, with its schema, that an index is made on."""
    name = _NAME.match(definition)
    return f"{name[2]}.{name[3]}" if name else ""


def concurrently(definition: str) -> str:
    """The same index made while others write."""
    return definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
