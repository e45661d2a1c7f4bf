"""Every statement about what the world is told."""

from tfmshop.platform.db import Query, Truth

HOLD_ENDPOINTS = Query(
    "news.hold_endpoints", "SELECT pg_advisory_xact_lock(hashtextextended('who is told of news', 0))"
)
ADD_ENDPOINT = Query(
    "news.add_endpoint",
    """
INSERT INTO news.endpoint (id, url, topics, secret, created_at)
SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM news.endpoint) < $6::integer
""",
)
_ENDPOINT = "id, url, topics, active, created_at"
ENDPOINTS = Query("news.list_endpoints", f"SELECT {_ENDPOINT} FROM news.endpoint ORDER BY created_at, id")
FIND_ENDPOINT = Query("news.find_endpoint", f"SELECT {_ENDPOINT} FROM news.endpoint WHERE id = $1")
HOLD_ENDPOINT = Query("news.hold_endpoint", f"{FIND_ENDPOINT.sql} FOR NO KEY UPDATE")
SWITCH_ENDPOINT = Query(
    "news.switch_endpoint", f"UPDATE news.endpoint SET active = $2 WHERE id = $1 RETURNING {_ENDPOINT}"
)
ASK_AGAIN = Query(
    "news.ask_again",
    "UPDATE news.delivery SET asked_at = now() WHERE endpoint_id = $1 AND status = 'waiting' RETURNING subject",
)
DROP_ENDPOINT = Query("news.drop_endpoint", "DELETE FROM news.endpoint WHERE id = $1")

KEEP_EVENT = Query(
    "news.keep_event",
    """
INSERT INTO news.event (number, topic, subject, data, at) VALUES ($1, $2, $3, $4::text::jsonb, $5)
ON CONFLICT (number) DO NOTHING
""",
)
ADDRESS = Query(
    "news.address_event",
    """
INSERT INTO news.delivery (endpoint_id, event_number, subject, changed_at)
SELECT p.id, $1, $2, now() FROM news.endpoint AS p
WHERE cardinality(p.topics) = 0 OR $3 = ANY(p.topics) FOR SHARE OF p
ON CONFLICT (endpoint_id, event_number) DO NOTHING
RETURNING endpoint_id
""",
)

CLAIM = Query(
    "news.claim_delivery",
    """
WITH next AS MATERIALIZED (
    SELECT d.endpoint_id, d.event_number, d.leased_until
    FROM news.delivery AS d JOIN news.endpoint AS p ON p.id = d.endpoint_id AND p.active
    WHERE d.endpoint_id = $1 AND d.subject = $2 AND d.status = 'waiting'
    ORDER BY d.event_number LIMIT 1 FOR UPDATE OF d
), claimed AS (
    UPDATE news.delivery AS d SET leased_until = now() + $3, attempts = d.attempts + 1, changed_at = now()
    FROM next AS n
    WHERE d.endpoint_id = n.endpoint_id AND d.event_number = n.event_number
        AND (n.leased_until IS NULL OR n.leased_until <= now())
    RETURNING d.event_number, d.asked_at
)
SELECT e.number, e.topic, e.data::text AS data, e.at, c.asked_at, p.url, p.secret
FROM claimed AS c JOIN news.event AS e ON e.number = c.event_number JOIN news.endpoint AS p ON p.id = $1
""",
)
LEASED = Query(
    "news.leased_delivery",
    """
SELECT EXISTS (
    SELECT FROM news.delivery AS d JOIN news.endpoint AS p ON p.id = d.endpoint_id AND p.active
    WHERE d.endpoint_id = $1 AND d.subject = $2 AND d.status = 'waiting' AND d.leased_until > now()
)
""",
)
DONE = Query(
    "news.note_delivery",
    """
UPDATE news.delivery SET status = $3, answer = $4, leased_until = NULL, changed_at = now()
WHERE endpoint_id = $1 AND event_number = $2 AND status = 'waiting'
""",
)

DELIVERIES = Query(
    "news.list_deliveries",
    """
SELECT d.endpoint_id, e.number AS event, e.topic, e.subject, d.status, d.attempts, d.answer, e.at AS happened_at,
    d.changed_at
FROM news.event AS e JOIN news.delivery AS d ON d.event_number = e.number
WHERE d.endpoint_id = $1 AND e.number < $2 AND ($4::text IS NULL OR d.status = $4)
ORDER BY e.number DESC LIMIT $3
""",
)
REPLAY = Query(
    "news.replay",
    """
UPDATE news.delivery AS d SET status = 'waiting', leased_until = NULL, changed_at = now(), asked_at = now()
FROM news.event AS e
WHERE e.number = d.event_number AND d.endpoint_id = $1
    AND CASE WHEN $2::bigint IS NULL THEN e.at >= $3 ELSE e.number = $2 END
RETURNING d.subject
""",
)

ADD_LETTER = Query(
    "news.add_letter",
    """
INSERT INTO news.letter (reason, kind, recipient, subject, data, created_at)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)
ON CONFLICT (reason) DO NOTHING RETURNING reason
""",
)
LETTER = Query(
    "news.find_letter",
    "SELECT kind, recipient, subject, data::text AS data, sent_at FROM news.letter WHERE reason = $1",
)
SENT = Query(
    "news.letter_sent",
    "UPDATE news.letter SET sent_at = now(), answer = $2, data = '{}', recipient = '' WHERE reason = $1",
)

FORGET = Query("news.forget", "DELETE FROM news.event WHERE at < now() - $1::interval")
ERASE = Query(
    "news.erase",
    """
WITH silenced AS (
    UPDATE news.event AS e SET data = e.data - 'why' WHERE e.subject = ANY($2::uuid[]) AND e.data ? 'why'
)
DELETE FROM news.letter WHERE lower(recipient) = ANY($1::text[]) OR (sent_at IS NULL AND subject = ANY($2::uuid[]))
""",
)
FORGET_LETTERS = Query(
    "news.forget_letters", "DELETE FROM news.letter WHERE sent_at IS NOT NULL AND created_at < now() - $1::interval"
)

Truth("no webhook that is switched on waits longer than an hour to be tried", Query(
    "news.truth_deliveries",
    """
SELECT DISTINCT p.url FROM news.delivery AS d JOIN news.endpoint AS p ON p.id = d.endpoint_id AND p.active
WHERE d.status = 'waiting' AND greatest(d.changed_at, d.asked_at) < now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM news.delivery AS b WHERE b.endpoint_id = d.endpoint_id AND b.subject = d.subject
        AND b.status = 'waiting' AND b.event_number < d.event_number)
""",
))  # fmt: skip
Truth("no letter waits longer than an hour to be sent", Query(
    "news.truth_letters",
    "SELECT reason FROM news.letter WHERE sent_at IS NULL AND created_at < now() - interval '1 hour'",
))  # fmt: skip
