"""Boxes about PostgreSQL and Redis."""

from __future__ import annotations

from typing import Final

from tfmshop.platform import clock
from tfmshop.platform.analysis.indexes import indexes, needed
from tfmshop.platform.backup.wal import SLOT
from tfmshop.platform.db import Query, broken, migrate
from tfmshop.surface.readiness.box import BEFORE, Place, Result, box, judged

SAFETY: Final = Query(
    "readiness.safety",
    """
SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('data_checksums') AS data_checksums,
    current_setting('autovacuum') AS autovacuum, current_setting('max_connections')::int AS max_connections,
    current_setting('server_version') AS version, clock_timestamp() AS now, pg_is_in_recovery() AS is_replica
""",
)
SLOTS: Final = Query(
    "readiness.slots",
    """
SELECT slot_name, active, coalesce(pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
    AS held_bytes, coalesce(wal_status, '') AS wal_status
FROM pg_replication_slots
""",
)
OLDEST: Final = Query(
    "readiness.oldest_transaction",
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity "
    "WHERE datname = current_database() AND backend_type = 'client backend'",
)
EXTENSIONS: Final = Query("readiness.extensions", "SELECT extname FROM pg_extension")
NEEDED: Final = {"btree_gist", "fuzzystrmatch", "pg_trgm"}
OPTIONAL: Final = {"pg_stat_statements": "PostgreSQL's own count of statements", "vector": "search by meaning"}
MUCH_HELD: Final = 1 << 30
LONG_SECONDS: Final = 300.0
SKEW_SECONDS: Final = 2.0
A_RUNNER: Final = 30
"""Connections of a job runner, and of who looks after the server."""


@box("migrations", BEFORE)
async def migrations(place: Place) -> Result:
    """The schema is that of this release."""
    has, wanted = await migrate.applied(place.platform.config.text("DATABASE_URL")), migrate.newest()
    if has == wanted:
        return Result("pass", f"the schema is at {wanted}")
    if has is not None and has > wanted:
        return Result(
            "warn", f"the schema is at {has}, newer than this release's {wanted}", "Install the newer release."
        )
    return Result("fail", f"the schema is at {has}, this release wants {wanted}", "Run `tfmshop deploy migrate`.")


@box("indexes", BEFORE)
async def all_indexes(place: Place) -> Result:
    """Every index that this release needs is there, and valid."""
    async with place.platform.db.read() as tx:
        there = {one.name for one in await indexes(tx) if one.is_valid}
    missing = sorted(set(needed()) - there)
    if not missing:
        return Result("pass", f"{len(needed())} are there")
    return Result("fail", f"missing or not valid: {', '.join(missing[:5])}", "Run `tfmshop optimize database --apply`.")


@box("database server", BEFORE)
async def server(place: Place) -> Result:
    """PostgreSQL keeps what it was told, and its clock is right."""
    async with place.platform.db.read() as tx:
        row = await tx.row(SAFETY)
    assert row is not None  # noqa: S101 - it has one row
    warning = []
    failing = [
        f"{name} is off, so a crash loses orders: Set {name}=on in postgresql.conf."
        for name in ("fsync", "full_page_writes") if row[name] != "on"
    ]  # fmt: skip
    if row["is_replica"]:
        failing.append("it is a replica, and cannot be written: Point DATABASE_URL at the primary.")
    if row["synchronous_commit"] == "off":
        failing.append("synchronous_commit is off, so a crash loses the last orders: Set it to on.")
    if row["autovacuum"] != "on":
        failing.append("autovacuum is off, so tables only grow: Set autovacuum=on.")
    if row["data_checksums"] != "on":
        warning.append("data is kept without checksums: Stop the server, run pg_checksums --enable.")
    two_generations = 2 * place.config.number("WORKERS") * place.config.number("DB_POOL_MAX")
    wanted = two_generations + A_RUNNER
    if wanted > row["max_connections"]:
        failing.append(f"max_connections is {row['max_connections']}, this shop may want {wanted}: Raise it, or lower "
                       "WORKERS or DB_POOL_MAX.")  # fmt: skip
    skew = abs((row["now"] - clock.now()).total_seconds())
    if skew > SKEW_SECONDS:
        failing.append(f"its clock and ours differ by {skew:.0f} s: Run a time service on both.")
    return judged(failing, warning, f"PostgreSQL {row['version'].split()[0]}, as it should be set")


@box("extensions", BEFORE)
async def extensions(place: Place) -> Result:
    """What the schema needs is there."""
    async with place.platform.db.read() as tx:
        there = {row["extname"] for row in await tx.rows(EXTENSIONS)}
    if missing := sorted(NEEDED - there):
        return Result("fail", f"missing: {', '.join(missing)}",
                      "CREATE EXTENSION each, as an administrator of the database.")  # fmt: skip
    left = [f"{name} ({what})" for name, what in OPTIONAL.items() if name not in there]
    return Result("pass", f"without {', '.join(left)}" if left else "all are there")


@box("replication and transactions", BEFORE)
async def held_back(place: Place) -> Result:
    """Nothing holds PostgreSQL's log or dead rows for ever."""
    async with place.platform.db.read() as tx:
        slots, oldest = await tx.rows(SLOTS), await tx.value(OLDEST)
    failing, warning = [], []
    for slot in slots:
        name, held = slot["slot_name"], slot["held_bytes"]
        if slot["wal_status"] == "lost":
            mend = (
                "Drop it, empty the folder wal/incoming, take a new base backup." if name == SLOT else "Set it up anew."
            )
            failing.append(f"what {name} had still to get is gone: {mend}")
        elif not slot["active"] and held > MUCH_HELD:
            failing.append(
                f"nobody takes {name}, for which {held >> 20} MiB of log are kept: Start who does, or drop it."
            )
    if oldest > LONG_SECONDS:
        warning.append(f"a transaction has been open for {oldest / 60:.0f} min: See `tfmshop db activity`.")
    return judged(failing, warning, f"{len(slots)} replication slots, the oldest transaction is {oldest:.0f} s old")


@box("truths", BEFORE, 600.0)
async def truths(place: Place) -> Result:
    """Nothing is false about the data that must never be."""
    async with place.platform.db.read() as tx:
        found = await broken(tx)
    if not found:
        return Result("pass", "everything that must never be false holds")
    return Result("fail", f"{len(found)} are broken: {'; '.join(found)}", "See `tfmshop doctor` for the offenders.")


@box("cache service", BEFORE, mend="Start Redis, or see REDIS_URL: without it each process caches and counts alone.")
async def redis(place: Place) -> Result:
    """Redis answers in time."""
    version = await place.platform.redis.version()
    return Result("pass", f"{version} answers within REDIS_TIMEOUT")
