"""`tfmshop db`: what PostgreSQL is doing, and what takes room in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from tfmshop.platform import Platform
from tfmshop.platform.analysis import indexes, plans, server, tables
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.db import Limit
from tfmshop.surface.cli.db import app as db
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table, progress_bar, sized

T = TypeVar("T")


@db.command("activity")
def activity(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the connections of the database and what they do.

    Example: `tfmshop db activity`
    """
    found = _read(context, server.activity)
    rows = [(b.pid, b.program, b.state, f"{b.query_seconds:.1f}", f"{b.transaction_seconds:.1f}", b.waits_for,
             b.query[:80]) for b in found]  # fmt: skip
    _show(found, ("pid", "program", "state", "query s", "transaction s", "waits for", "query"), rows, as_json,
          "There is no other connection.")  # fmt: skip


@db.command("locks")
def locks(context: typer.Context, as_json: AsJson = False) -> None:
    """Show who waits for whom.

    Example: `tfmshop db locks`
    """
    found = _read(context, server.locks)
    rows = [(w.pid, f"{w.seconds:.1f}", w.wants, w.query[:60], f"{w.blocked_by} ({w.blocker_state})",
             w.blocker_query[:60]) for w in found]  # fmt: skip
    _show(found, ("pid", "waits s", "for", "query", "held by", "its query"), rows, as_json, "Nobody waits for a lock.")


@db.command("sizes")
def sizes(context: typer.Context, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Show how large the tables are.

    Example: `tfmshop db sizes`
    """
    found = _read(context, server.sizes)[:limit]
    rows = [(s.name, f"{s.rows:,}", sized(s.table_bytes), sized(s.index_bytes), sized(s.total_bytes)) for s in found]
    _show(found, ("table", "rows", "rows take", "indexes", "in all"), rows, as_json, "There is no table.")


@db.command("bloat")
def bloat(context: typer.Context, limit: Limit = 25, as_json: AsJson = False) -> None:
    """Show what is dead or empty in the tables, and how fresh their statistics are.

    Example: `tfmshop db bloat`
    """
    found = sorted(_read(context, tables.tables), key=lambda t: -(t.wasted_bytes + t.dead))[:limit]
    rows = [(t.name, f"{t.live:,}", f"{t.dead:,}", f"{t.dead_part:.0%}", sized(t.heap_bytes), sized(t.wasted_bytes),
             f"{t.changed:,}", f"{t.analyzed_at:%Y-%m-%d %H:%M}" if t.analyzed_at else "never")
            for t in found]  # fmt: skip
    _show(found, ("table", "live", "dead", "part", "size", "empty, about", "changed", "analyzed"), rows, as_json,
          "There is no table.")  # fmt: skip


@db.command("indexes")
def show_indexes(
    context: typer.Context,
    table: Annotated[str | None, typer.Option(help="Only of this table, such as orders.line.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every index: its size, how often it was read, which statements can use it, and which are missing.

    Examples: `tfmshop db indexes`, `tfmshop db indexes --table orders.line`
    """

    async def look(platform: Platform) -> list[dict[str, Any]]:
        with progress_bar() as bar:
            used = (await plans.plans(platform.db, bar)).uses
        async with platform.db.read() as tx:
            there = await indexes.indexes(tx)
        found = [
            {"name": i.name, "table": i.table, "bytes": i.bytes, "scans": i.scans, "state": _state(i, there),
             "used_by": used.get(i.name.partition(".")[2], []), "definition": i.definition} for i in there
        ]  # fmt: skip
        names = {i.name for i in there}
        return found + [
            {"name": name, "table": indexes.table_of(definition), "bytes": 0, "scans": 0, "state": "missing",
             "used_by": [], "definition": definition}
            for name, definition in indexes.needed().items() if name not in names
        ]  # fmt: skip

    found = [one for one in host_of(context).with_platform(look) if table in (None, one["table"])]
    rows = [(one["name"], sized(one["bytes"]), f"{one['scans']:,}", one["state"],
             _some(one["used_by"])) for one in found]  # fmt: skip
    _show(found, ("index", "size", "read", "state", "used by"), rows, as_json, "There is no such index.")


def _state(index: indexes.Index, there: list[indexes.Index]) -> str:
    if not index.is_valid:
        return "not valid"
    covered = next((other.name for other in there if index.is_covered_by(other)), None)
    if covered is not None:
        return f"as {covered}"
    return "needed" if index.name in indexes.needed() or index.name.startswith("public.") else "unknown"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _read(context: typer.Context, look: Callable[[Tx], Awaitable[T]]) -> T:
    async def work(platform: Platform) -> T:
        async with platform.db.read() as tx:
            return await look(tx)

    return host_of(context).with_platform(work)


def _show(found: object, columns: tuple[str, ...], rows: list[Any], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(found)
    elif rows:
        print_table(columns, rows)
    else:
        typer.echo(nothing)
