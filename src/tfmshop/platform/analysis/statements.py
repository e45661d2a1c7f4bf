"""What statements cost by PostgreSQL's own count (pg_stat_statements), under the names that we know them by."""

from __future__ import annotations

from typing import Final

import asyncpg
import msgspec

from tfmshop.platform import codec
from tfmshop.platform.analysis.plans import BY_INDEX, explained, planning, statements
from tfmshop.platform.db import Database
from tfmshop.platform.db.query import written
from tfmshop.platform.errors import ShopError

_READ: Final = """
SELECT s.queryid, s.calls, s.total_exec_time, s.rows, s.shared_blks_hit, s.shared_blks_read
FROM pg_stat_statements AS s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.queryid = ANY($1::bigint[])
"""


class Counted(msgspec.Struct):
    """A statement as the server counted it since its statistics began; `hit_ratio` is the part of pages it found in
    memory.
    """

    calls: int = 0
    total_ms: float = 0.0
    rows: int = 0
    pages_hit: int = 0
    pages_read: int = 0

    @property
    def mean_ms(self) -> float:
        """Milliseconds of a call, without the way to the server and back."""
        return self.total_ms / self.calls if self.calls else 0.0

    @property
    def hit_ratio(self) -> float:
        """Pages found in memory, 0 to 1."""
        pages = self.pages_hit + self.pages_read
        return self.pages_hit / pages if pages else 1.0


async def counted(db: Database, names: set[str]) -> dict[str, Counted] | None:
    """What the server counted of some statements, all shapes of a family together; None where it does not count."""
    known: dict[int, str] = {}
    async with planning(db, BY_INDEX) as tx:
        for query in statements():
            if query.name in names:
                try:
                    told = codec.decode((await explained(tx, query, "VERBOSE, FORMAT JSON"))[0])
                except (asyncpg.PostgresError, ShopError):
                    continue
                if "Query Identifier" in told[0]:
                    known[told[0]["Query Identifier"]] = query.name
    found: dict[str, Counted] = {}
    try:
        async with db.read() as tx:
            for identifier, *numbers in await tx.rows(written("analysis.statements", _READ), list(known)):
                one = found.setdefault(known[identifier], Counted())
                for field, more in zip(Counted.__struct_fields__, numbers, strict=True):
                    setattr(one, field, getattr(one, field) + more)
    except (asyncpg.PostgresError, ShopError):
        return None
    return found
