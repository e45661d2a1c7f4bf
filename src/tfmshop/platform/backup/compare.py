"""Whether a restored database is what was copied: the rows of each table, the schema, and what must never be false."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec

from tfmshop.platform import clock
from tfmshop.platform.backup.files import Backup
from tfmshop.platform.db.truth import TRUTHS

TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""


class Comparison(msgspec.Struct):
    """What was found in a restored backup. `rows` that differ: what there should be, and what there is."""

    backup: str
    at: datetime
    to: datetime | None
    """The moment that it was brought to, where one was asked for."""
    seconds: float
    counted: int
    """Rows, of all tables."""
    differing: dict[str, tuple[int, int]]
    broken: dict[str, list[str]]
    """What is false about the data and must never be, and was not so when it was copied."""
    revision: str
    """The schema's."""
    expected: str

    @property
    def is_good(self) -> bool:
        """Whether it is what was copied."""
        return not self.differing and not self.broken and self.revision == self.expected


async def counted(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    """How many rows each table has, of one moment where the connection is in a transaction."""
    found = {}
    for (table,) in await connection.fetch(TABLES):
        found[table] = await connection.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def false(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, list[str]]:
    """Every truth that does not hold, with ten at most of what contradicts it."""
    found = {}
    for truth in TRUTHS:
        rows = await connection.fetch(truth.offenders.sql)
        if rows:
            found[truth.sentence] = [str(row[0]) for row in rows[:10]]
    return found


async def revision(connection: asyncpg.Connection[asyncpg.Record]) -> str:
    """The schema's revision; empty where there is none."""
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return ""
    return str(await connection.fetchval("SELECT version_num FROM public.alembic_version") or "")


async def compare(backup: Backup, url: str, *, to: datetime | None = None, began: datetime) -> Comparison:
    """Look at the restored database at `url`. Rows are compared where the backup knows them; a base backup brought to
    a later moment may have a later schema.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            there, broken, has = await counted(connection), await false(connection), await revision(connection)
    finally:
        await connection.close()
    differing = {table: (backup.rows.get(table, 0), there.get(table, 0))
                 for table in {**backup.rows, **there}
                 if backup.rows and backup.rows.get(table, 0) != there.get(table, 0)}  # fmt: skip
    broken = {sentence: offenders for sentence, offenders in broken.items() if sentence not in backup.broken}
    now = clock.now()
    expected = has if to and has > backup.revision else backup.revision
    return Comparison(backup.name, now, to, (now - began).total_seconds(), sum(there.values()), differing, broken, has,
                      expected)  # fmt: skip
