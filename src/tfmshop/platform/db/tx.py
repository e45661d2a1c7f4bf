"""What a verb is handed: a connection that runs named queries, inside a transaction or for one read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from tfmshop.platform.clock import monotonic
from tfmshop.platform.db.faults import as_fact
from tfmshop.platform.db.query import Copy, Query, record, record_error
from tfmshop.platform.errors import DatabaseUnavailable
from tfmshop.platform.observe import logs, traces

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from tfmshop.platform.db.slow import Slow

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

Row = asyncpg.Record
T = TypeVar("T")


class Refused(Exception):
    """A constraint refused a change; `constraint` is its name in the schema."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class RolledBack(Exception):
    """The block asked that nothing of it be kept."""


class NeedsPrimary(Exception):
    """What was begun on a replica has something to write."""


class Tx:
    """Runs named queries on one connection. Verbs receive it and never commit."""

    __slots__ = ("_connection", "_only_reads", "_slow")

    def __init__(self, connection: Connection, slow: Slow | None = None, *, only_reads: bool = False) -> None:
        self._connection = connection
        self._slow = slow
        self._only_reads = only_reads

    @property
    def backend(self) -> object:
        """The connection behind it, to know it again by: one server process, as long as it lives."""
        return self._connection

    def drop(self) -> None:
        """Give the connection up, in the middle of whatever it does: it is not used again."""
        self._connection.terminate()

    async def rows(self, query: Query, *args: object) -> list[Row]:
        """Every row of the result."""
        return await self._run(query, self._connection.fetch(query.sql, *args), len, args)

    async def row(self, query: Query, *args: object) -> Row | None:
        """The first row, or None."""
        return await self._run(query, self._connection.fetchrow(query.sql, *args), _one, args)

    async def value(self, query: Query, *args: object) -> Any:
        """The first column of the first row, or None."""
        return await self._run(query, self._connection.fetchval(query.sql, *args), _one, args)

    async def execute(self, query: Query, *args: object) -> int:
        """Run a change; the number of rows it touched."""
        return await self._run(query, self._touched(query, args), int, args)

    async def copy(self, copy: Copy, records: Iterable[Sequence[object]]) -> int:
        """Add many rows at once by COPY; how many."""
        return await self._run(copy.query, self._copied(copy, records), int)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that may fail alone: what it did is undone, the rest goes on."""
        try:
            async with self._connection.transaction():
                yield
        except BaseException as error:
            if (fact := as_fact(error)) is not None:
                raise fact from error
            raise

    def roll_back(self) -> None:
        """Leave the transaction's block here and keep nothing of it."""
        raise RolledBack

    async def _touched(self, query: Query, args: tuple[object, ...]) -> int:
        status = await self._connection.execute(query.sql, *args)
        return int(status.rpartition(" ")[2]) if status[-1].isdigit() else 0

    async def _copied(self, copy: Copy, records: Iterable[Sequence[object]]) -> int:
        status = await self._connection.copy_records_to_table(
            copy.table, schema_name=copy.schema, columns=list(copy.columns), records=records
        )
        return int(status.rpartition(" ")[2])

    async def _run(
        self, query: Query, work: Awaitable[T], count: Callable[[T], int], args: tuple[object, ...] = ()
    ) -> T:
        started = monotonic()
        try:
            result = await work
        except asyncpg.IntegrityConstraintViolationError as error:
            record_error(query, monotonic() - started)
            raise Refused(error.constraint_name or "") from error
        except asyncpg.ReadOnlySQLTransactionError as error:
            record_error(query, monotonic() - started)
            raise (NeedsPrimary() if self._only_reads else DatabaseUnavailable()) from error
        except BaseException as error:
            seconds = monotonic() - started
            record_error(query, seconds)
            if traces.on:
                traces.query(query.name, seconds, error)
            if self._slow is not None and logs.too_slow("query", seconds):
                self._slow.note(query, args, seconds)
            if (fact := as_fact(error)) is not None:
                raise fact from error
            raise
        seconds = monotonic() - started
        record(query, seconds, count(result))
        if traces.on:
            traces.query(query.name, seconds, None)
        if self._slow is not None and logs.too_slow("query", seconds):
            self._slow.note(query, args, seconds)
        return result


def _one(result: object) -> int:
    return 0 if result is None else 1


def columns(rows: Sequence[Sequence[object]]) -> Iterator[list[object]]:
    """Rows, one at least, column by column: what a statement takes that unnests arrays."""
    return (list(column) for column in zip(*rows, strict=True))
