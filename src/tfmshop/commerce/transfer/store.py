"""Every statement of imports and exports."""

from tfmshop.platform.db import Query

START = Query(
    "transfer.start_import",
    """
INSERT INTO transfer.import_run AS r (id, fingerprint, file) VALUES ($1, $2, $3)
ON CONFLICT (fingerprint) WHERE finished_at IS NULL DO UPDATE SET file = excluded.file
RETURNING r.id, r.line, r.created, r.updated, r.rejected, r.made_categories, r.made_brands
""",
)

NOTE = Query(
    "transfer.note_import",
    """
UPDATE transfer.import_run SET line = $2, created = $3, updated = $4, rejected = $5, made_categories = $6,
    made_brands = $7
WHERE id = $1 AND line = $8 AND finished_at IS NULL
RETURNING id
""",
)

FINISH = Query(
    "transfer.finish_import",
    "UPDATE transfer.import_run SET finished_at = now() WHERE id = $1 AND finished_at IS NULL RETURNING id",
)

LIST = Query(
    "transfer.list_imports",
    """
SELECT id, file, created, updated, rejected, started_at, finished_at, undone_at FROM transfer.import_run
ORDER BY started_at DESC, id DESC LIMIT $1
""",
)

NOTE_CHANGES = Query(
    "transfer.note_changes",
    """
INSERT INTO transfer.change AS c (run_id, product_id, before, after_version)
SELECT $1, p.id, p.before::jsonb, p.after FROM unnest($2::uuid[], $3::text[], $4::integer[]) AS p(id, before, after)
ON CONFLICT (run_id, product_id) DO UPDATE SET after_version = excluded.after_version,
    before = CASE WHEN c.before IS NOT NULL THEN jsonb_set(c.before, '{stock}', (
        SELECT coalesce(jsonb_object_agg(s.key, s.units), '{}') FROM (
            SELECT e.key, sum(e.value::bigint) AS units FROM (
                SELECT * FROM jsonb_each_text(c.before->'stock')
                UNION ALL SELECT * FROM jsonb_each_text(excluded.before->'stock')) AS e
            GROUP BY e.key) AS s)) END
""",
)

LOCK_RUN = Query(
    "transfer.lock_import",
    """
SELECT finished_at, undone_at, made_categories, made_brands FROM transfer.import_run WHERE id = $1 FOR UPDATE
""",
)

CHANGES = Query(
    "transfer.list_changes",
    """
SELECT product_id, before::text AS before, after_version FROM transfer.change
WHERE run_id = $1 AND product_id > $2 ORDER BY product_id LIMIT $3
""",
)

SOLD = Query(
    "transfer.sold_variants",
    "SELECT DISTINCT variant_id FROM inventory.taken WHERE variant_id = ANY($1)",
)

STOCK = Query(
    "transfer.stock_of",
    "SELECT product_id, variant_id, available FROM inventory.main_level WHERE product_id = ANY($1)",
)

UNDONE = Query(
    "transfer.undone",
    "UPDATE transfer.import_run SET undone_at = now(), finished_at = coalesce(finished_at, now()) WHERE id = $1",
)
