"""Who still sees rows that are dead to all others: until they end, no VACUUM takes those rows away."""

from __future__ import annotations

import asyncio
from typing import Final

from tfmshop.platform import clock
from tfmshop.platform.db import Query, Tx

NOW = Query("analysis.next_transaction", "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
HOLDERS = Query(
    "analysis.holders",
    """
WITH old AS (
    SELECT format('connection %s (%s)', pid, coalesce(nullif(application_name, ''), backend_type)) AS who,
        CASE WHEN age(backend_xid) > coalesce(age(backend_xmin), 0) THEN backend_xid ELSE backend_xmin END AS oldest
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND NOT (backend_type = 'autovacuum worker' AND query NOT LIKE '%ANALYZE%')
    UNION ALL SELECT format('prepared transaction %s', gid), transaction
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL SELECT format('replication slot %s', slot_name), xmin FROM pg_replication_slots
)
SELECT who FROM old WHERE oldest IS NOT NULL AND age(oldest) > age($1::text::xid) ORDER BY age(oldest) DESC
""",
)
DEAD = Query("analysis.dead_rows", "SELECT pg_stat_get_dead_tuples($1::text::regclass)")
POLL_SECONDS: Final = 0.05


class Held(Exception):
    """Rows stay, whatever is done: the text says who still sees them."""


async def sweep(tx: Tx, table: str, vacuum: Query, seconds: float) -> None:
    """Run a VACUUM, which analyses too, until at least half of a table's dead rows are gone; `Held` after so long.

    While a transaction of another database is open, whatever is asked here at the moment of the VACUUM sees rows as old
    as that: nobody can be waited for, so the VACUUM is tried again.
    """
    before, end = await tx.value(DEAD, table), clock.monotonic() + seconds
    while True:
        await _until_nobody_sees(tx, max(0.0, end - clock.monotonic()))
        await tx.execute(vacuum)
        if await tx.value(DEAD, table) <= before / 2:
            return
        if clock.monotonic() > end:
            raise Held("dead rows are still seen, perhaps because of a transaction in another database: try again")
        await asyncio.sleep(POLL_SECONDS)


async def _until_nobody_sees(tx: Tx, seconds: float) -> None:
    """Wait until every transaction that is open now has ended, at most this long; then `Held`."""
    before = await tx.value(NOW)
    end = clock.monotonic() + seconds
    while holders := [str(who) for (who,) in await tx.rows(HOLDERS, str(int(before) % (1 << 32)))]:
        if clock.monotonic() > end:
            raise Held(f"dead rows are still seen by {', '.join(holders[:3])}: end it, then try again")
        await asyncio.sleep(POLL_SECONDS)
