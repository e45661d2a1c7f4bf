"""Named statements: the name is the metric label, the slow-log key and what tests count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

QUERIES: dict[str, Query] = {}
FAMILIES: dict[str, Family] = {}


@dataclass(slots=True)
class Statistics:
    """What a statement has cost this process so far."""

    calls: int = 0
    errors: int = 0
    rows: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0


class Query:
    """One SQL statement under a name of the form `module.what_it_does`.

    Parameters are always bound (`$1`, `$2`, ...). A name is taken once; TypeError otherwise.
    """

    __slots__ = ("name", "sql", "statistics")

    def __init__(self, name: str, sql: str) -> None:
        if name in QUERIES or name in FAMILIES:
            raise TypeError(f"a query named {name!r} exists")
        self.name = name
        self.sql = sql
        self.statistics = Statistics()
        QUERIES[name] = self


def written(name: str, sql: str) -> Query:
    """A statement that the database itself wrote, such as the definition of an index; it is counted under `name`."""
    query = Query.__new__(Query)
    query.name, query.sql, query.statistics = name, sql, Statistics()
    return query


class Copy:
    """A COPY of many rows into one table, under a name like a query's."""

    __slots__ = ("columns", "query", "schema", "table")

    def __init__(self, name: str, into: str, columns: Sequence[str]) -> None:
        self.schema, self.table = into.split(".")
        self.columns = tuple(columns)
        self.query = Query(name, f"SELECT {', '.join(columns)} FROM {into} LIMIT 0")


class Family:
    """Statements that differ by an allow-listed shape (which filters, which order) and share one name.

    `write(shape)` gives the SQL of a shape; `shapes()` gives every shape a test should prepare.
    """

    __slots__ = ("_known", "name", "shapes", "statistics", "write")

    def __init__(
        self,
        name: str,
        write: Callable[[tuple[str, ...]], str],
        shapes: Callable[[], Iterator[tuple[str, ...]]],
    ) -> None:
        if name in QUERIES or name in FAMILIES:
            raise TypeError(f"a query named {name!r} exists")
        self.name = name
        self.write = write
        self.shapes = shapes
        self.statistics = Statistics()
        self._known: dict[tuple[str, ...], Query] = {}
        FAMILIES[name] = self

    def of(self, shape: tuple[str, ...]) -> Query:
        """The statement of one shape, written once."""
        query = self._known.get(shape)
        if query is None:
            query = Query.__new__(Query)
            query.name, query.sql, query.statistics = self.name, self.write(shape), self.statistics
            self._known[shape] = query
        return query


_listeners: list[Callable[[str], None]] = []


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Call `listener(name)` for each statement run by this process inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def record(query: Query, seconds: float, rows: int) -> None:
    """Count one finished run of `query`."""
    statistics = query.statistics
    statistics.calls += 1
    statistics.rows += rows
    statistics.seconds += seconds
    if seconds > statistics.slowest_seconds:
        statistics.slowest_seconds = seconds
    for listener in _listeners:
        listener(query.name)


def record_error(query: Query) -> None:
    """Count one failed run of `query`."""
    query.statistics.calls += 1
    query.statistics.errors += 1
    for listener in _listeners:
        listener(query.name)
