"""Statements that took too long: counted by name, and told with the plan that PostgreSQL would choose for them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import asyncpg

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.query import Query, written
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe import logs
from tfmshop.platform.observe.metrics import Counter

if TYPE_CHECKING:
    from tfmshop.platform.db.database import Database

SLOW = Counter("tfmshop_slow_queries_total", "Statements that took longer than SLOW_QUERY.", "db_query_summary")
AGAIN_SECONDS: Final = 60.0
"""How long the plan of a statement is not looked at again."""
MOST_LINES: Final = 60
_PLANNED: Final = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_CONDITION: Final = re.compile(r"^(\s*(?:[A-Z][\w-]* )*(?:Cond|Filter|Key|By|Output|Call|Qual):)(.*)$", re.MULTILINE)
_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_NUMBER: Final = re.compile(r"(?<![\w$.])-?\d+(?:\.\d+)?(?![\w.])")


class Slow:
    """Looks at the slow statements of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._planned_at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, query: Query, args: tuple[object, ...], seconds: float) -> None:
        """Count a slow statement and tell of it: with its plan, where nobody looked at that within the last minute."""
        SLOW.of(query.name).add()
        now = monotonic()
        known = self._planned_at.get(query.name, float("-inf"))
        busy = self._task is not None and not self._task.done()
        if busy or now - known < AGAIN_SECONDS or not _PLANNED.match(query.sql):
            logs.slow("query", name=query.name, seconds=round(seconds, 4))
            return
        self._planned_at[query.name] = now
        self._task = self._db.aside(self._tell(query, args, seconds))

    async def close(self) -> None:
        """Look at no more plans."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _tell(self, query: Query, args: tuple[object, ...], seconds: float) -> None:
        facts: dict[str, object] = {}
        try:
            async with self._db.read() as tx:
                rows = await tx.rows(written("platform.explain", f"EXPLAIN {query.sql}"), *args)
            facts["plan"] = without_values("\n".join(row[0] for row in rows)).splitlines()[:MOST_LINES]
        except ShopError as error:
            facts["no_plan"] = str(error)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            facts["no_plan"] = type(error).__name__
        logs.slow("query", name=query.name, seconds=round(seconds, 4), **facts)


def without_values(plan: str) -> str:
    """A plan in which `?` stands for every value: they are what people typed, over several lines if they like."""
    return _CONDITION.sub(lambda line: line[1] + _NUMBER.sub("?", line[2]), _TEXT.sub("?", plan))
