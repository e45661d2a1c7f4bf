"""What to change about the database: each with the evidence, the SQL, and whether that may be run at any time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tfmshop.platform import clock
from tfmshop.platform.analysis.indexes import Index, concurrently, needed, schemas, table_of
from tfmshop.platform.analysis.plans import Plans, Scan
from tfmshop.platform.analysis.queries import Cost
from tfmshop.platform.analysis.tables import Table

MANY_ROWS: Final = 1000
"""From here on it matters how a table is read."""
DEAD_PART, DEAD_ROWS = 0.2, 1000
"""A table with more of both is swept."""
CHANGED_PART: Final = 0.2
"""The part of a table that changed since its statistics were made, from which on they are stale."""
WASTED_PART, WASTED_BYTES = 0.5, 1 << 20
SMALL_BYTES: Final = 64 << 20
"""A table up to here, indexes and long values included, is written anew, and locked meanwhile, in about a second."""
LONG: Final = timedelta(days=7)
"""How long reads must have been counted before an index that had none is useless."""
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Advice(msgspec.Struct):
    """One thing to change. `safe` SQL is run by `--apply`: it blocks nobody for more than a second, and `undo` brings
    back what it takes away. `effect` is what a copy of the data showed.
    """

    kind: str
    what: str
    evidence: str
    sql: list[str]
    safe: bool
    undo: str = ""
    effect: str = ""


def advise(
    tables: list[Table], there: list[Index], plans: Plans, costs: list[Cost], since: datetime | None
) -> list[Advice]:  # fmt: skip
    """What to change, the most pressing first; `since` is how long reads of indexes are counted."""
    calls = {cost.name: cost for cost in costs}
    rows = {table.name: table for table in tables}
    return [
        *_missing(there, plans, rows, calls), *_scans(there, plans, rows, calls), *_useless(there, plans, since),
        *_stale(tables), *_bloated(tables),
    ]  # fmt: skip


def _missing(
    there: list[Index], plans: Plans, rows: dict[str, Table], calls: dict[str, Cost]
) -> Iterator[Advice]:  # fmt: skip
    names = {index.name for index in there if index.is_valid}
    broken = {index.name for index in there if not index.is_valid}
    for name, definition in needed().items():
        if name in names or table_of(definition) not in rows:
            continue
        schema, _, bare = name.partition(".")
        scanning = [scan.query for scan in plans.scans if scan.table == table_of(definition)]
        evidence = f"This release needs it, and it is {'not valid' if name in broken else 'not there'}"
        if scanning:
            evidence += f"; read as a whole meanwhile by {_costs(scanning, calls)}"
        sql = [concurrently(definition)]
        if name in broken:
            sql.insert(0, f"DROP INDEX CONCURRENTLY {schema}.{bare}")
        safe = "UNIQUE" not in definition
        yield Advice("missing index", name, f"{evidence}.", sql, safe=safe)


def _scans(
    there: list[Index], plans: Plans, rows: dict[str, Table], calls: dict[str, Cost]
) -> Iterator[Advice]:  # fmt: skip
    names = {index.name for index in there}
    lacking = {table_of(definition) for name, definition in needed().items() if name not in names}
    seen: set[tuple[str, str]] = set()
    for scan in plans.scans:
        table = rows.get(scan.table)
        called = calls.get(scan.query)
        if table is None or table.about < MANY_ROWS or scan.table in lacking or called is None:
            continue
        column = scan.columns[0]
        if (scan.table, column) not in seen:
            seen.add((scan.table, column))
            yield _for_scan(scan, table, _costs([scan.query], calls))


def _for_scan(scan: Scan, table: Table, costs: str) -> Advice:
    definition = f"CREATE INDEX CONCURRENTLY ON {scan.table} ({', '.join(scan.columns[:2])})"
    evidence = f"{costs} reads all {table.about:,} rows for {scan.condition[:120]}."
    return Advice("missing index", f"{scan.table} ({scan.columns[0]})", evidence, [definition], safe=False)


def _costs(names: list[str], calls: dict[str, Cost]) -> str:
    told = []
    for name in dict.fromkeys(names):
        cost = calls.get(name)
        told.append(f"{name} ({cost.calls:,} calls, {cost.mean_ms:.1f} ms each)" if cost else name)
    return ", ".join(told[:5]) + (f" and {len(told) - 5} more" if len(told) > 5 else "")


def _useless(there: list[Index], plans: Plans, since: datetime | None) -> Iterator[Advice]:
    ours = needed()
    stays = [index for index in there if index.name in ours or index.is_constraint or index.is_unique]
    long = since is None or clock.now() - since > LONG
    for index in there:
        if index in stays or index.name.partition(".")[0] not in schemas():
            continue
        covered = next((other for other in stays if index.is_covered_by(other)), None)
        users = plans.uses.get(index.name.partition(".")[2].strip('"'), [])
        size = f"It takes {index.bytes / (1 << 20):.1f} MiB and a part of every write"
        if covered is not None:
            evidence = f"{size}; {covered.name} serves the same."
        elif not index.is_valid:
            evidence = f"{size}; it is not valid, so nothing uses it."
        elif not index.scans and not users:
            when = f"since {since:%Y-%m-%d}" if since else "as long as it is there"
            evidence = f"{size}; this release does not know it, no statement uses it, and nobody read it {when}."
        else:
            continue
        kind = "duplicate index" if covered is not None else "unused index"
        safe = covered is not None or not index.is_valid or long
        yield Advice(kind, index.name, evidence, [f"DROP INDEX CONCURRENTLY {index.name}"], safe=safe,
                     undo=concurrently(index.definition))  # fmt: skip


def _stale(tables: list[Table]) -> Iterator[Advice]:
    for table in tables:
        if table.about >= MANY_ROWS and table.changed > CHANGED_PART * table.about:
            when = f"at {table.analyzed_at:%Y-%m-%d %H:%M}" if table.analyzed_at else "never"
            evidence = f"{table.changed:,} of {table.about:,} rows changed since its statistics were made ({when})."
            yield Advice("stale statistics", table.name, evidence, [f"ANALYZE {table.name}"], safe=True)


def _bloated(tables: list[Table]) -> Iterator[Advice]:
    for table in tables:
        if table.name.partition(".")[0] not in schemas():
            continue
        if table.dead > DEAD_ROWS and table.dead_part > DEAD_PART:
            fresh = clock.now() - (table.vacuumed_at or NEVER) < timedelta(minutes=1)
            held = " A transaction that began long ago may hold them: see `tfmshop db activity`." if fresh else ""
            evidence = f"{table.dead:,} dead rows, {table.dead_part:.0%} of all.{held}"
            sql = [f"VACUUM (ANALYZE) {table.name}"]
            if table.bytes <= SMALL_BYTES:
                sql = [f"VACUUM (FULL, ANALYZE) {table.name}"]
                evidence += f" Of {_mib(table.heap_bytes)}, most can be given back in about a second."
            yield Advice("bloated table", table.name, evidence, sql, safe=True)
        elif table.wasted_bytes > WASTED_BYTES and table.wasted_bytes > WASTED_PART * table.heap_bytes:
            evidence = f"{_mib(table.wasted_bytes)} of {_mib(table.heap_bytes)} are empty, as far as its columns tell."
            small = table.bytes <= SMALL_BYTES
            if not small:
                evidence += " It is locked while it is written anew: at a quiet hour, or with pg_repack."
            yield Advice("bloated table", table.name, evidence, [f"VACUUM (FULL, ANALYZE) {table.name}"], safe=small)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
