"""Named statements: the name is the metric label, the slow-log key and what tests count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tfmshop.platform.observe.metrics import Counter, Gauge, Histogram, Over, Timed

DURATION = Histogram("db_client_operation_duration_seconds", "How long statements took.", "db_query_summary")
ERRORS = Counter("tfmshop_query_errors_total", "Statements that failed.", "db_query_summary")
ROWS = Counter("tfmshop_query_rows_total", "Rows that statements gave or touched.", "db_query_summary")
SLOWEST = Gauge("tfmshop_query_slowest_seconds", "The longest that a statement took in a living process.",
                "db_query_summary", over=Over.MOST)  # fmt: skip

QUERIES: dict[str, Query] = {}
FAMILIES: dict[str, Family] = {}


class Statistics:
    """What a statement has cost this process so far; all processes together are what a scrape shows."""

    __slots__ = ("_errors", "_name", "_rows", "_slowest", "_timed")

    def __init__(self, name: str) -> None:
        self._name = name
        self._timed: Timed | None = None

    def ran(self, seconds: float, rows: int) -> None:
        """It ran once."""
        timed = self._timed or self._begin()
        timed.add(seconds)
        self._rows.add(rows)
        if seconds > self._slowest.value:
            self._slowest.set(seconds)

    def failed(self, seconds: float) -> None:
        """It failed once."""
        timed = self._timed or self._begin()
        timed.add(seconds)
        self._errors.add()

    def _begin(self) -> Timed:
        self._rows, self._errors, self._slowest = ROWS.of(self._name), ERRORS.of(self._name), SLOWEST.of(self._name)
        self._timed = DURATION.of(self._name)
        return self._timed

    @property
    def calls(self) -> int:
        """How often it ran, or failed."""
        return DURATION.of(self._name).count

    @property
    def errors(self) -> int:
        """How often it failed."""
        return ERRORS.of(self._name).value

    @property
    def rows(self) -> int:
        """Rows that it gave or touched."""
        return ROWS.of(self._name).value


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
        self.statistics = Statistics(name)
        QUERIES[name] = self


def written(name: str, sql: str) -> Query:
    """A statement that the database itself wrote, such as the definition of an index; it is counted under `name`."""
    query = Query.__new__(Query)
    query.name, query.sql, query.statistics = name, sql, Statistics(name)
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
        self.statistics = Statistics(name)
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
    query.statistics.ran(seconds, rows)
    for listener in _listeners:
        listener(query.name)


def record_error(query: Query, seconds: float) -> None:
    """Count one failed run of `query`."""
    query.statistics.failed(seconds)
    for listener in _listeners:
        listener(query.name)
