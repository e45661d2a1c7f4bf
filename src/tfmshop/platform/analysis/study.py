"""A whole look at a database, and the mending of what may be mended at any time."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec

from tfmshop.platform import clock
from tfmshop.platform.analysis.advice import Advice, advise
from tfmshop.platform.analysis.effect import effect
from tfmshop.platform.analysis.horizon import Held, sweep
from tfmshop.platform.analysis.indexes import counted_since, indexes, table_of
from tfmshop.platform.analysis.plans import Progress, plans
from tfmshop.platform.analysis.queries import Cost, costs
from tfmshop.platform.analysis.server import Server, whole
from tfmshop.platform.analysis.tables import Table, tables
from tfmshop.platform.db import Database, Refused, Tx
from tfmshop.platform.db.query import written
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe.readings import Reading


class NotMended(Exception):
    """PostgreSQL did not do what was advised; the text says why."""


class Study(msgspec.Struct):
    """What was seen of a database, and what to change."""

    at: datetime
    server: Server
    tables: list[Table]
    costs: list[Cost]
    advice: list[Advice]


async def study(db: Database, reading: Reading, progress: Progress) -> Study:
    """Look at statistics, indexes and the plan of every statement, and measure what missing indexes would do."""
    found = await plans(db, progress)
    async with db.read() as tx:
        server = await whole(tx)
        looked, there, since = await tables(tx), await indexes(tx), await counted_since(tx)
    every = costs(reading)
    advice = advise(looked, there, found, every, since)
    lacking = [one for one in advice if one.kind == "missing index"]
    for done, one in enumerate(lacking, 1):
        definition = one.sql[-1].replace(" CONCURRENTLY", "")
        table = table_of(definition) or definition.partition(" ON ")[2].partition(" ")[0]
        one.effect = await effect(db, table, definition)
        progress("effects", done, len(lacking))
    return Study(clock.now(), server, looked, every, advice)


async def mend(db: Database, advice: Advice, *, lock_seconds: float = 3.0) -> None:
    """Run the SQL of an advice, each statement by itself; none waits for a lock, or for those who still see dead rows,
    longer than this. `NotMended`, and what was begun of an index is taken away again.
    """
    async with db.read() as tx:
        await tx.execute(written("analysis.bound", f"SET lock_timeout = '{int(1000 * lock_seconds)}ms'"))
        try:
            for sql in advice.sql:
                if sql.startswith("VACUUM"):
                    await sweep(tx, advice.what, written("analysis.mend", sql), lock_seconds)
                else:
                    await tx.execute(written("analysis.mend", sql))
        except (asyncpg.PostgresError, ShopError, Refused, Held) as error:
            await tx.execute(written("analysis.bound", f"SET lock_timeout = '{int(10_000 * lock_seconds)}ms'"))
            left = await _drop_half_made(tx, advice.what) if sql.startswith("CREATE INDEX") else ""
            raise NotMended(f"{error}{left}") from error
        finally:
            await tx.execute(written("analysis.bound", "RESET lock_timeout"))


async def _drop_half_made(tx: Tx, name: str) -> str:
    """Take away what was begun of an index; what to say where that cannot be done either."""
    if any(index.name == name and not index.is_valid for index in await indexes(tx)):
        try:
            await tx.execute(written("analysis.mend", f"DROP INDEX CONCURRENTLY {name}"))
        except (asyncpg.PostgresError, ShopError):
            return f" What was begun of it is still there: DROP INDEX CONCURRENTLY {name}"
    return ""
