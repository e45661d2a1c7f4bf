"""The plans that PostgreSQL makes for named statements, without running them: what they use, and what they scan."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import msgspec

from tfmshop.platform import codec
from tfmshop.platform.db import Database, Query, Tx
from tfmshop.platform.db.query import FAMILIES, QUERIES, written
from tfmshop.platform.errors import ShopError

PLANNED: Final = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
BY_INDEX: Final = Query("analysis.by_index", "SET enable_seqscan = off")
AS_LIKED: Final = Query("analysis.as_liked", "SET enable_seqscan = on")
AS_USUAL: Final = Query("analysis.as_usual", "RESET enable_seqscan")
ANY_VALUES: Final = Query("analysis.any_values", "SET plan_cache_mode = force_generic_plan")
PLANNED_AS_USUAL: Final = Query("analysis.planned_as_usual", "RESET plan_cache_mode")
FIRST: Final = Query("analysis.first", "PREPARE analysis_plan AS SELECT 1")
FORGET: Final = Query("analysis.forget", "DEALLOCATE analysis_plan")
_PARAMETER: Final = re.compile(r"\$(\d+)")
_COMPARED: Final = re.compile(r"\(?(?:\w+\.)?(\w+)\)?(?:::\w+)? (=|<|>|<=|>=|@@|&&|@>|~~\*?) (?:ANY )?\(?\$\d+")

Progress = Callable[[str, int, int], None]


class Scan(msgspec.Struct, frozen=True):
    """A table that a statement reads as a whole although it looks for some rows, by the columns that it compares."""

    query: str
    table: str
    columns: list[str]
    condition: str


class Plans(msgspec.Struct):
    """The statements that use each index, by its name, and the tables that statements read as a whole."""

    uses: dict[str, list[str]]
    scans: list[Scan]


def statements() -> Iterator[Query]:
    """Every named statement that has a plan, and every shape of a family."""
    for query in QUERIES.values():
        if PLANNED.match(query.sql) and not query.name.startswith(("test.", "analysis.")):
            yield query
    for family in FAMILIES.values():
        for shape in family.shapes():
            yield family.of(shape)


async def plans(db: Database, progress: Progress) -> Plans:
    """Plan every statement for any values: by indexes wherever one fits, for what can be used, and as PostgreSQL likes
    best, for what is read as a whole.
    """
    found = Plans({}, [])
    every = list(statements())
    for step, (setting, look) in enumerate(((BY_INDEX, _uses), (AS_LIKED, _scans))):
        async with planning(db, setting) as tx:
            for done, query in enumerate(every, 1):
                progress("plans", step * len(every) + done, 2 * len(every))
                try:
                    told = await explained(tx, query, "VERBOSE, FORMAT JSON")
                except (asyncpg.PostgresError, ShopError):
                    continue
                look(codec.decode(told[0])[0]["Plan"], query.name, found)
    return found


async def plan(db: Database, query: Query) -> list[str]:
    """The plan of one statement for any values, as text lines."""
    async with planning(db, BY_INDEX) as tx:
        return await explained(tx, query, "VERBOSE")


@asynccontextmanager
async def planning(db: Database, setting: Query) -> AsyncIterator[Tx]:
    """A connection on which plans are made for any values: EXPLAIN (GENERIC_PLAN) is not for statements whose
    parameters a driver sends, so they are prepared by name, and the server told to plan so.
    """
    async with db.read() as tx:
        for told in (setting, ANY_VALUES, FIRST):
            await tx.execute(told)
        try:
            yield tx
        finally:
            for told in (FORGET, AS_USUAL, PLANNED_AS_USUAL):
                await tx.execute(told)


async def explained(tx: Tx, query: Query, options: str) -> list[str]:
    """What EXPLAIN says of a statement, on a connection of `planning`."""
    try:
        await tx.execute(written("analysis.prepare", f"{FORGET.sql}; PREPARE analysis_plan AS {query.sql}"))
    except BaseException:
        await tx.execute(FIRST)
        raise
    count = max((int(number) for number in _PARAMETER.findall(query.sql)), default=0)
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    explain = written("analysis.plan", f"EXPLAIN ({options}) EXECUTE analysis_plan{values}")
    return [row[0] for row in await tx.rows(explain)]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every step of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def _uses(plan: dict[str, Any], name: str, found: Plans) -> None:
    for node in nodes(plan):
        if "Index Name" in node:
            users = found.uses.setdefault(node["Index Name"], [])
            if name not in users:
                users.append(name)


def _scans(plan: dict[str, Any], name: str, found: Plans) -> None:
    for node in nodes(plan):
        condition = node.get("Filter", "")
        columns = [column for column, _ in _COMPARED.findall(condition)]
        if node["Node Type"] == "Seq Scan" and columns:
            scan = Scan(name, f"{node['Schema']}.{node['Relation Name']}", list(dict.fromkeys(columns)), condition)
            if scan not in found.scans:
                found.scans.append(scan)
