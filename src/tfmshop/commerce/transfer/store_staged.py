"""Every statement of imports that staff send, look at, and let go in."""

from tfmshop.platform.db import Query

KEEP = Query(
    "transfer.keep_staged",
    """
INSERT INTO transfer.staged (id, file, mapping, currency, content, size, state)
VALUES ($1, $2, $3, $4, $5::bytea, octet_length($5::bytea), 'trying')
""",
)

SHOW = Query(
    "transfer.show_staged",
    """
SELECT s.id, s.file, CASE WHEN r.undone_at IS NULL THEN s.state ELSE 'undone' END AS state, s.size, s.done,
    coalesce(r.created, 0) AS created, coalesce(r.updated, 0) AS updated, coalesce(r.rejected, 0) AS rejected, s.why,
    s.created_at, s.changed_at, s.tried, s.applied, s.undone
FROM transfer.staged AS s LEFT JOIN transfer.import_run AS r ON r.id = s.id WHERE s.id = $1
""",
)

LIST = Query(
    "transfer.list_staged",
    """
SELECT s.id, s.file, CASE WHEN r.undone_at IS NULL THEN s.state ELSE 'undone' END AS state, s.size, s.done,
    coalesce(r.created, 0) AS created, coalesce(r.updated, 0) AS updated, coalesce(r.rejected, 0) AS rejected, s.why,
    s.created_at, s.changed_at
FROM transfer.staged AS s LEFT JOIN transfer.import_run AS r ON r.id = s.id
WHERE (s.created_at, s.id) < ($1, $2) ORDER BY s.created_at DESC, s.id DESC LIMIT $3
""",
)

BEGIN = Query(
    "transfer.begin_staged",
    """
UPDATE transfer.staged AS s SET state = $2, force = $3, why = NULL, changed_at = clock_timestamp(),
    done = CASE $2 WHEN 'applying' THEN 0 ELSE done END
FROM (SELECT o.id, o.state FROM transfer.staged AS o LEFT JOIN transfer.import_run AS r ON r.id = o.id
    WHERE o.id = $1 AND r.undone_at IS NULL AND CASE $2
        WHEN 'applying' THEN o.state IN ('tried', 'failed') AND o.tried IS NOT NULL AND o.content IS NOT NULL
            AND r.finished_at IS NULL
        ELSE o.state IN ('applied', 'failed') AND r.id IS NOT NULL END
    FOR UPDATE OF o) AS o
WHERE s.id = o.id
RETURNING o.state
""",
)

TO_DO = Query(
    "transfer.staged_to_do",
    """
SELECT s.file, s.mapping, s.currency, s.state, s.force, s.changed_at,
    r.finished_at IS NOT NULL AS finished
FROM transfer.staged AS s LEFT JOIN transfer.import_run AS r ON r.id = s.id WHERE s.id = $1
""",
)

CONTENT = Query("transfer.content_of_staged", "SELECT content FROM transfer.staged WHERE id = $1")

NOTE_DONE = Query("transfer.note_staged", "UPDATE transfer.staged SET done = $2 WHERE id = $1")

END = Query(
    "transfer.end_staged",
    """
UPDATE transfer.staged SET state = $3::text, why = $4::text, changed_at = clock_timestamp(),
    done = CASE WHEN $4 IS NULL THEN size ELSE done END,
    tried = CASE $3 WHEN 'tried' THEN $5::text ELSE tried END,
    applied = CASE $3 WHEN 'applied' THEN coalesce($5::text, applied) ELSE applied END,
    undone = CASE $3 WHEN 'undone' THEN $5::text ELSE undone END
WHERE id = $1 AND changed_at = $2
""",
)

FORGET = Query(
    "transfer.forget_staged",
    """
UPDATE transfer.staged SET content = NULL, tried = NULL
WHERE content IS NOT NULL AND changed_at < now() - $1::interval AND state NOT IN ('trying', 'applying')
""",
)
