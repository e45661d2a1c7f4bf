"""What PostgreSQL is doing now: who works, who waits for whom, and how large everything is."""

from __future__ import annotations

import msgspec

from tfmshop.platform.db import Query, Tx

ACTIVITY = Query(
    "analysis.activity",
    """
SELECT pid, coalesce(application_name, '') AS program, coalesce(state, '') AS state,
    coalesce(wait_event_type || ': ' || wait_event, '') AS waits_for,
    coalesce(extract(epoch FROM clock_timestamp() - query_start), 0)::float8 AS query_seconds,
    coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8 AS transaction_seconds,
    left(regexp_replace(query, '\\s+', ' ', 'g'), 200) AS query
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY state = 'idle', query_start
""",
)
LOCKS = Query(
    "analysis.locks",
    """
SELECT w.pid, coalesce(w.application_name, '') AS program,
    extract(epoch FROM clock_timestamp() - w.query_start)::float8 AS seconds,
    coalesce((SELECT string_agg(DISTINCT l.mode || ' on ' || coalesce(l.relation::regclass::text, l.locktype), ', ')
        FROM pg_locks AS l WHERE l.pid = w.pid AND NOT l.granted), '') AS wants,
    b.pid AS blocked_by, coalesce(b.application_name, '') AS blocker, coalesce(b.state, '') AS blocker_state,
    left(regexp_replace(w.query, '\\s+', ' ', 'g'), 200) AS query,
    left(regexp_replace(b.query, '\\s+', ' ', 'g'), 200) AS blocker_query
FROM pg_stat_activity AS w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p (pid)
JOIN pg_stat_activity AS b ON b.pid = p.pid
WHERE w.datname = current_database() ORDER BY seconds DESC
""",
)
SIZES = Query(
    "analysis.sizes",
    """
SELECT format('%I.%I', n.nspname, c.relname) AS name, greatest(c.reltuples, 0)::bigint AS rows,
    pg_relation_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes,
    pg_total_relation_size(c.oid) AS total_bytes
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY total_bytes DESC
""",
)


SERVER = Query(
    "analysis.server",
    """
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,
    CASE WHEN d.blks_hit + d.blks_read > 0 THEN d.blks_hit::float8 / (d.blks_hit + d.blks_read) ELSE 1 END AS hit_ratio,
    d.deadlocks, d.xact_rollback AS rollbacks, d.xact_commit AS commits
FROM pg_stat_database AS d WHERE d.datname = current_database()
""",
)


class Busy(msgspec.Struct, frozen=True):
    """One connection and what it does, for how many seconds."""

    pid: int
    program: str
    state: str
    waits_for: str
    query_seconds: float
    transaction_seconds: float
    query: str


class Waiting(msgspec.Struct, frozen=True):
    """A connection that waits for a lock which another holds."""

    pid: int
    program: str
    seconds: float
    wants: str
    blocked_by: int
    blocker: str
    blocker_state: str
    query: str
    blocker_query: str


class Size(msgspec.Struct, frozen=True):
    """A table: rows as PostgreSQL last counted them, and bytes."""

    name: str
    rows: int
    table_bytes: int
    index_bytes: int
    total_bytes: int


async def activity(tx: Tx) -> list[Busy]:
    """Every connection of this database but ours, those that work first."""
    return [Busy(*row) for row in await tx.rows(ACTIVITY)]


async def locks(tx: Tx) -> list[Waiting]:
    """Who waits for whom, the longest first."""
    return [Waiting(*row) for row in await tx.rows(LOCKS)]


async def sizes(tx: Tx) -> list[Size]:
    """Every table, the largest first."""
    return [Size(*row) for row in await tx.rows(SIZES)]


class Server(msgspec.Struct, frozen=True):
    """The database as a whole: bytes, and the part of pages that was found in PostgreSQL's memory."""

    version: str
    bytes: int
    hit_ratio: float
    deadlocks: int
    rollbacks: int
    commits: int


async def whole(tx: Tx) -> Server:
    """The database as a whole."""
    (row,) = await tx.rows(SERVER)
    return Server(*row)
