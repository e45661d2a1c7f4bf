"""The tables as PostgreSQL's statistics see them: what is dead in them, what they should measure, how fresh that is."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tfmshop.platform.db import Query, Tx

TABLES = Query(
    "analysis.tables",
    """
WITH width AS (
    SELECT schemaname, tablename, sum((1 - null_frac) * avg_width) AS bytes
    FROM pg_stats GROUP BY schemaname, tablename
)
SELECT format('%I.%I', s.schemaname, s.relname) AS name, greatest(c.reltuples, 0)::bigint AS rows,
    pg_total_relation_size(c.oid) AS bytes, pg_relation_size(c.oid) AS heap_bytes,
    CASE WHEN c.reltuples > 0 AND w.bytes IS NOT NULL
        THEN (ceil(c.reltuples * (w.bytes + 28) / 8168) * 8192)::bigint END AS needed_bytes,
    s.n_dead_tup AS dead, s.n_live_tup AS live, s.n_mod_since_analyze AS changed,
    greatest(s.last_analyze, s.last_autoanalyze) AS analyzed_at,
    greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at,
    s.seq_scan AS scans, s.seq_tup_read AS scanned_rows, coalesce(s.idx_scan, 0) AS index_scans
FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
LEFT JOIN width AS w ON w.schemaname = s.schemaname AND w.tablename = s.relname
ORDER BY heap_bytes DESC
""",
)


class Table(msgspec.Struct, frozen=True):
    """A table. `needed_bytes` is an estimate from the widths of its columns (24 bytes of header and 4 of pointer for a
    row, 24 of header for a page); None without statistics.
    """

    name: str
    rows: int
    bytes: int
    heap_bytes: int
    needed_bytes: int | None
    dead: int
    live: int
    changed: int
    analyzed_at: datetime | None
    vacuumed_at: datetime | None
    scans: int
    scanned_rows: int
    index_scans: int

    @property
    def about(self) -> int:
        """Its rows, by whichever of PostgreSQL's two counts has more: each may lag behind."""
        return max(self.rows, self.live)

    @property
    def dead_part(self) -> float:
        """The part of its rows that is dead, 0 to 1."""
        return self.dead / (self.dead + self.live) if self.dead else 0.0

    @property
    def wasted_bytes(self) -> int:
        """Bytes that a rewrite of the table would probably give back."""
        return max(0, self.heap_bytes - self.needed_bytes) if self.needed_bytes else 0


async def tables(tx: Tx) -> list[Table]:
    """Every table, the largest first."""
    return [Table(*row) for row in await tx.rows(TABLES)]
