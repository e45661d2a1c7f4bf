"""The database of this process: reads, transactions, whole-transaction retry, and faults as facts."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import asyncpg
from asyncpg.transaction import Transaction

from tfmshop.platform.db.faults import LOST, NoAnswer, as_fact
from tfmshop.platform.db.pool import Connection, Pool
from tfmshop.platform.db.query import Query
from tfmshop.platform.db.replicas import READS, Replicas
from tfmshop.platform.db.share import Share
from tfmshop.platform.db.slow import Slow
from tfmshop.platform.db.tx import RolledBack, Tx
from tfmshop.platform.errors import DatabaseUnavailable
from tfmshop.platform.observe import traces
from tfmshop.platform.observe.metrics import Counter

T = TypeVar("T")

OLDEST_SERVER = 160_000
"""PostgreSQL 16, in the form of `server_version_num`."""
RETRIES = 5

RETRIED = Counter("tfmshop_transactions_retried_total", "Transactions tried again after a deadlock or a conflict.")
PING = Query("db.ping", "SELECT 1")
VACUUM = Query("db.vacuum", "VACUUM (ANALYZE)")
IDENTITY = Query(
    "db.identity",
    """
SELECT left(md5(c.system_identifier || '/' || d.oid), 12)
FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database()
""",
)
TRACED = Query("db.traced", "SELECT set_config('tfmshop.traceparent', $1, true)")
EMPTY = Query("db.empty", "SELECT platform.empty_shop()")

_holding: ContextVar[bool] = ContextVar("holding a connection", default=False)


class WrongServer(Exception):
    """The server answers but cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of a pool; all times in seconds (defaults: RELIABILITY figures for web requests)."""

    minimum: int = 2
    maximum: int = 6
    acquire_seconds: float = 0.5
    connect_seconds: float = 5.0
    statement_seconds: float = 2.0
    lock_seconds: float = 1.5
    """Above PostgreSQL's deadlock_timeout (1 s): below it a deadlock would look like a long wait and not be retried."""
    idle_transaction_seconds: float = 5.0
    name: str = "tfmshop"
    pooled: bool = False
    """A pooler is between us and PostgreSQL and gives each transaction another connection: nothing may be left on it,
    prepared statements neither, and the pooler sets the bounds (deploy/pgbouncer/pgbouncer.ini)."""
    bulk: bool = False
    """Plan each statement anew: right where tables grow a thousandfold between two runs of it."""

    def session(self) -> dict[str, str]:
        """The settings that PostgreSQL enforces for each connection."""

        def milliseconds(seconds: float) -> str:
            return f"{seconds * 1000:.0f}"

        return {
            "application_name": self.name,
            "statement_timeout": milliseconds(self.statement_seconds),
            "lock_timeout": milliseconds(self.lock_seconds),
            "idle_in_transaction_session_timeout": milliseconds(self.idle_transaction_seconds),
            "client_connection_check_interval": "1000",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "3",
            "tcp_keepalives_count": "3",
            "timezone": "UTC",
            "jit": "off",
            "plan_cache_mode": "force_custom_plan" if self.bulk else "auto",
            # What answers people goes along indexes, however few rows the planner expects to read before it may stop.
            "enable_seqscan": "on" if self.bulk else "off",
        }


class Database:
    """Hands out transactions over a pool. Make one with `connect`; `close` it at the end."""

    def __init__(self, pool: Pool, share: Share | None = None, *, pooled: bool = False) -> None:
        self.pool = pool
        self.pooled = pooled
        """Whether each transaction may have another connection behind it."""
        self.is_replica = False
        self.replicas: Replicas | None = None
        self.lender = share or pool
        self.retried = 0
        self.slow = Slow(self)
        self._shares: dict[str, Database] = {}

    def share(self, name: str, *, maximum: int, patience_seconds: float) -> Database:
        """The same database for one kind of work, with at most so many connections at once (see `Share`)."""
        if name not in self._shares:
            self._shares[name] = Database(self.pool, Share(self.pool, maximum, patience_seconds), pooled=self.pooled)
        return self._shares[name]

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """A connection for single reads, without BEGIN and COMMIT: `async with db.read() as tx`."""
        return _Lent(self, transaction=self.pooled)

    async def look_up(self, work: Callable[[Tx], Awaitable[T]], *, may_be_old: bool = False) -> T:
        """What `work(tx)` reads, on a replica where one knows all that was committed before; it may be called twice.
        What `may_be_old` is read on a replica while the primary is away, too.
        """
        if self.replicas is not None:
            found = await self.replicas.read(work, may_be_old=may_be_old)
            READS.of("replica" if found else "primary").add()
            if found:
                return found.value
        async with self.read() as tx:
            return await work(tx)

    def tx(self) -> AbstractAsyncContextManager[Tx]:
        """One transaction, committed at the end of the block: `async with db.tx() as tx`."""
        return _Lent(self, transaction=True)

    async def transact(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work(tx)` in a transaction; again after a serialisation failure or deadlock, 5 times at most."""
        answers: list[T] = []

        async def attempt() -> None:
            async with self.tx() as tx:
                answers.append(await work(tx))

        await self._again(attempt)
        return answers[-1]

    async def rehearse(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What `work(tx)` would answer; nothing of it is kept."""
        answers: list[T] = []

        async def attempt() -> None:
            async with self.tx() as tx:
                answers.append(await work(tx))
                tx.roll_back()

        await self._again(attempt)
        return answers[-1]

    async def _again(self, attempt: Callable[[], Awaitable[None]]) -> None:
        for number in range(RETRIES):
            try:
                return await attempt()
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                self.retried += 1
                RETRIED.of().add()
                await asyncio.sleep(random.uniform(0, 0.01 * 2**number))  # noqa: S311 - jitter, not a secret
        return await attempt()

    def aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that takes a connection of its own, from within something that holds one."""
        context = copy_context()
        context.run(_holding.set, False)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable`, `Busy` or `TookTooLong` unless PostgreSQL answers."""
        async with self.read() as tx:
            await tx.value(PING)

    async def identity(self) -> str:
        """A name that no other database has, but for its replicas and for copies of all its files."""
        async with self.read() as tx:
            return str(await tx.value(IDENTITY))

    async def vacuum(self) -> None:
        """Tidy every table after it grew a lot, and let the planner know: reads are at their best at once."""
        async with _Lent(self, transaction=False) as tx:
            await tx.execute(VACUUM)

    async def empty(self) -> None:
        """Take every row out of every table of the shop, but how it is set up. There is no way back."""
        async with self.tx() as tx:
            await tx.value(EMPTY)

    async def close(self) -> None:
        """Close the pool."""
        await self.slow.close()
        await self.pool.close()

    async def acquire(self) -> Connection:
        """A connection of the pool, for `_Lent` only. `Busy`, `DatabaseUnavailable`."""
        try:
            return await self.lender.acquire()
        except (*LOST, TimeoutError) as error:
            raise DatabaseUnavailable from error


class _Lent:
    """A connection for the time of a block; faults of PostgreSQL leave it as facts."""

    __slots__ = ("_connection", "_db", "_held", "_transaction", "_wants_transaction")

    def __init__(self, db: Database, *, transaction: bool) -> None:
        self._db = db
        self._wants_transaction = transaction
        self._held: Token[bool]
        self._connection: Connection
        self._transaction: Transaction | None

    async def __aenter__(self) -> Tx:
        if _holding.get():
            raise RuntimeError("this task holds a connection already; a second one could wait for itself")
        connection = self._connection = await self._db.acquire()
        self._held = _holding.set(True)
        self._transaction = None
        if self._wants_transaction:
            try:
                transaction = connection.transaction()
                await transaction.start()
                self._transaction = transaction
                if traces.on and (here := traces.here()):
                    await connection.execute(TRACED.sql, here)
            except BaseException as error:
                self._let_go(broken=True)
                raise as_fact(error) or error from error
        return Tx(connection, self._db.slow, only_reads=self._db.is_replica)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        try:
            if self._transaction is not None:
                await (self._transaction.commit() if error is None else self._transaction.rollback())
        except BaseException as late:
            self._let_go(broken=True)
            if error is None:
                raise as_fact(late) or late from late
            return False
        if error is None:
            self._let_go(broken=False)
            return False
        self._let_go(broken=not isinstance(error, Exception) or isinstance(error, DatabaseUnavailable | NoAnswer))
        return isinstance(error, RolledBack)

    def _let_go(self, *, broken: bool) -> None:
        _holding.reset(self._held)
        gone = broken or self._connection.is_closed() or self._connection.is_in_transaction()
        self._db.lender.release(self._connection, broken=gone)


async def connect(url: str, options: Options) -> Database:
    """Open a pool on `url`. `DatabaseUnavailable` when nothing answers, `WrongServer` when it is too old."""
    db = unopened(url, options)
    try:
        await db.pool.fill()
    except (*LOST, TimeoutError) as error:
        raise DatabaseUnavailable from error
    return db


def unopened(url: str, options: Options) -> Database:
    """A pool on `url` that opens its connections when they are needed."""
    pool = Pool(
        lambda: open_connection(url, options),
        minimum=options.minimum,
        maximum=options.maximum,
        patience_seconds=options.acquire_seconds,
    )
    return Database(pool, pooled=options.pooled)


async def open_connection(url: str, options: Options) -> Connection:
    """One connection with every timeout set, on both sides."""
    connection: Connection = await asyncpg.connect(
        url,
        timeout=options.connect_seconds,
        command_timeout=options.statement_seconds + 0.5,
        statement_cache_size=0 if options.pooled else 1000,
        server_settings={} if options.pooled else options.session(),
    )
    _keep_alive(connection)
    version = connection.get_server_version()
    if version.major * 10_000 < OLDEST_SERVER:
        await connection.close()
        raise WrongServer(f"PostgreSQL {version.major}.{version.minor} is too old: TFMShop needs 16 or later.")
    return connection


async def check_server(url: str, setting: str = "DATABASE_URL") -> None:
    """Raise `WrongServer` with one clear sentence unless the server at `url`, which a setting names, can be used."""
    place = urlsplit(url)
    where = place.hostname or dict(parse_qsl(place.query)).get("host", "the default address")
    where = f"{where}:{place.port}" if place.port else where
    try:
        connection = await open_connection(url, Options(connect_seconds=5, pooled=setting == "DATABASE_POOL_URL"))
    except (ValueError, asyncpg.InterfaceError) as error:
        raise WrongServer(f"{setting} cannot be used: {error}.") from None
    except asyncpg.InvalidCatalogNameError:
        raise WrongServer(f"PostgreSQL at {where} has no database {place.path[1:]!r}: create it first.") from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise WrongServer(f"PostgreSQL at {where} refuses user {place.username!r}: check {setting}.") from None
    except (OSError, asyncpg.PostgresError) as error:
        reason = "no answer within 5 s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise WrongServer(f"Cannot reach PostgreSQL at {where}: {reason}. Check {setting}.") from None
    await connection.close()


def _keep_alive(connection: Connection) -> None:
    """Let the kernel notice a peer that vanished: asyncpg has no option for it."""
    transport: Any = getattr(connection, "_transport")  # noqa: B009 - there is no public way to the socket
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
