"""What an index would do, measured on a copy of the table that nobody else sees and that does not stay."""

from __future__ import annotations

import re
from typing import Any, Final

from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.db.query import written

MOST_ROWS: Final = 200_000
"""Rows that are copied: enough to see what an index does, and seconds of work."""
LOOKUPS: Final = 11
_ON: Final = re.compile(r" ON \S+ (USING \w+ )?\((.*)$", re.DOTALL)


async def effect(db: Database, table: str, definition: str) -> str:
    """How long it takes to find the rows of one value with and without an index, in words; empty where it cannot be
    tried, such as for an empty table or an index of something else than columns.
    """
    found = _ON.search(definition)
    column = re.match(r"\s*(\w+)", found[2]) if found else None
    if found is None or column is None or (found[1] and "btree" not in found[1]):
        return ""
    return await db.rehearse(lambda tx: _measure(tx, table, column[1], f"({found[2]}"))


async def _measure(tx: Tx, table: str, column: str, of: str) -> str:
    copied = f"CREATE TEMPORARY TABLE measured ON COMMIT DROP AS SELECT * FROM {table} LIMIT {MOST_ROWS}"
    rows = await tx.execute(written("analysis.copy", copied))
    exists = await tx.value(
        written("analysis.has_column",
                "SELECT count(*) FROM pg_attribute WHERE attrelid = 'pg_temp.measured'::regclass AND attname = $1"),
        column,
    )  # fmt: skip
    if not rows or not exists:
        return ""
    await tx.execute(written("analysis.copy", "ANALYZE measured"))
    sample = f"SELECT {column} AS value FROM measured WHERE {column} IS NOT NULL ORDER BY random() LIMIT {LOOKUPS}"
    values = [row["value"] for row in await tx.rows(written("analysis.copy", sample))]
    if not values:
        return ""
    before = await _timed(tx, column, values)
    await tx.execute(written("analysis.copy", f"CREATE INDEX measured_by ON measured {of}"))
    after = await _timed(tx, column, values)
    return (
        f"On a copy of {rows:,} rows, finding one value of {column}: {before[0]:.2f} ms and {before[1]:,} pages "
        f"without, {after[0]:.2f} ms and {after[1]:,} pages with it."
    )


async def _timed(tx: Tx, column: str, values: list[Any]) -> tuple[float, int]:
    """The median of milliseconds, and of pages, over some lookups."""
    look = written(
        "analysis.measure", f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM measured WHERE {column} = $1"
    )
    found = []
    for value in values:
        told = codec.decode(await tx.value(look, value))[0]
        pages = sum(told["Plan"].get(name, 0) for name in ("Local Hit Blocks", "Local Read Blocks"))
        found.append((told["Execution Time"], pages))
    return sorted(ms for ms, _ in found)[len(found) // 2], sorted(pages for _, pages in found)[len(found) // 2]
