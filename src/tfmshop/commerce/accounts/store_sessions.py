"""The statements of sessions and proofs."""

from tfmshop.platform.db import Query

BEGIN = Query(
    "accounts.begin_session",
    """
WITH person AS (
    SELECT id FROM accounts.customer WHERE id = $2 AND is_active AND password_hash = $9 FOR SHARE
), oldest AS (
    UPDATE accounts.session SET ended_at = $4, ended_why = 'there were too many' WHERE id IN (
        SELECT id FROM accounts.session WHERE customer_id = $2 AND ended_at IS NULL ORDER BY created_at DESC OFFSET 49)
)
INSERT INTO accounts.session (id, customer_id, salt, created_at, renewed_at, expires_at, user_agent, address, strong)
SELECT $1, id, $3, $4, $4, $5, $6, $7, $8 FROM person
""",
)

HOLD = Query(
    "accounts.hold_session",
    """
SELECT s.id, s.customer_id, s.salt, s.number, s.created_at, s.renewed_at, s.expires_at, s.ended_at, s.strong,
    c.role, c.is_active, c.password_hash
FROM accounts.session AS s JOIN accounts.customer AS c ON c.id = s.customer_id WHERE s.id = $1 FOR UPDATE OF s
""",
)

RENEW = Query(
    "accounts.renew_session",
    "UPDATE accounts.session SET number = number + 1, renewed_at = $2, expires_at = $3 WHERE id = $1",
)

LIVE = Query(
    "accounts.live_session",
    """
SELECT s.id FROM accounts.session AS s JOIN accounts.customer AS c ON c.id = s.customer_id
WHERE s.id = $1 AND s.customer_id = $2 AND s.ended_at IS NULL AND s.expires_at > now() AND c.is_active FOR SHARE OF s
""",
)

LIVES = Query(
    "accounts.session_lives",
    """
SELECT s.id FROM accounts.session AS s JOIN accounts.customer AS c ON c.id = s.customer_id
WHERE s.id = $1 AND s.customer_id = $2 AND s.ended_at IS NULL AND s.expires_at > now() AND c.is_active
""",
)

LIST = Query(
    "accounts.list_sessions",
    """
SELECT id, created_at, renewed_at, user_agent, address FROM accounts.session
WHERE customer_id = $1 AND ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC LIMIT 100
""",
)

REMEMBERED = Query(
    "accounts.remembered_sessions",
    """
SELECT id, created_at, renewed_at, user_agent, address, ended_at FROM accounts.session
WHERE customer_id = $1 ORDER BY created_at DESC
""",
)

END = Query(
    "accounts.end_sessions",
    """
UPDATE accounts.session SET ended_at = now(), ended_why = $4
WHERE customer_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3) AND ended_at IS NULL
""",
)

FORGET_SESSIONS = Query(
    "accounts.forget_sessions", "DELETE FROM accounts.session WHERE expires_at < now() - $1::interval"
)
FORGET_PROOFS = Query("accounts.forget_proofs", "DELETE FROM accounts.proof WHERE expires_at < now() - $1::interval")

ADD_PROOF = Query(
    "accounts.add_proof",
    """
INSERT INTO accounts.proof (id, customer_id, purpose, email, salt, created_at, expires_at)
SELECT $1, c.id, $3, c.email, $4, $5, $6 FROM accounts.customer AS c
WHERE lower(c.email) = $2 AND c.is_active AND ($3 <> 'verify' OR c.verified_at IS NULL) AND (
    SELECT count(*) FROM accounts.proof AS p
    WHERE p.customer_id = c.id AND p.purpose = $3 AND p.created_at > $5::timestamptz - interval '1 hour') < $7
ON CONFLICT (id) DO NOTHING
RETURNING email
""",
)

ADD_EMAIL_PROOF = Query(
    "accounts.add_email_proof",
    """
INSERT INTO accounts.proof (id, customer_id, purpose, email, salt, created_at, expires_at)
SELECT $1, c.id, 'email', $3, $4, $5, $6 FROM accounts.customer AS c
WHERE c.id = $2 AND c.is_active AND (
    SELECT count(*) FROM accounts.proof AS p
    WHERE p.customer_id = c.id AND p.purpose = 'email' AND p.created_at > $5::timestamptz - interval '1 hour') < $7
AND (
    SELECT count(*) FROM accounts.proof AS p
    WHERE p.email = $3 AND p.purpose = 'email' AND p.created_at > $5::timestamptz - interval '1 hour') < $7
RETURNING id
""",
)

ASKED_EMAILS = Query(
    "accounts.asked_emails",
    "SELECT email, created_at FROM accounts.proof WHERE customer_id = $1 AND purpose = 'email' ORDER BY created_at",
)

USE_EMAIL_PROOF = Query(
    "accounts.use_email_proof",
    """
UPDATE accounts.proof SET used_at = now()
WHERE id = $1 AND customer_id = $2 AND purpose = 'email' AND used_at IS NULL AND expires_at > now()
RETURNING email
""",
)

SET_EMAIL = Query(
    "accounts.set_email",
    """
UPDATE accounts.customer AS c SET email = $2, verified_at = now() FROM accounts.customer AS o
WHERE c.id = $1 AND o.id = c.id AND c.is_active RETURNING o.email
""",
)

FIND_PROOF = Query(
    "accounts.find_proof",
    "SELECT salt, purpose FROM accounts.proof WHERE id = $1 AND used_at IS NULL AND expires_at > now()",
)

PROVES = Query(
    "accounts.proves",
    """
SELECT p.email, c.name FROM accounts.proof AS p JOIN accounts.customer AS c ON c.id = p.customer_id WHERE p.id = $1
""",
)

HOLD_BY_EMAIL = Query(
    "accounts.hold_by_email", "SELECT id FROM accounts.customer WHERE lower(email) = $1 FOR NO KEY UPDATE"
)

USE_PROOF = Query(
    "accounts.use_proof",
    """
UPDATE accounts.proof AS p SET used_at = now() FROM accounts.customer AS c
WHERE p.id = $1 AND p.purpose = $2 AND p.used_at IS NULL AND p.expires_at > now() AND c.id = p.customer_id
    AND c.is_active AND lower(c.email) = lower(p.email)
RETURNING p.customer_id, c.verified_at IS NOT NULL AS verified
""",
)

EVER_EMAILS = Query(
    "accounts.ever_emails",
    """
SELECT lower(email) AS email FROM accounts.customer WHERE id = $1
UNION SELECT lower(email) FROM accounts.proof WHERE customer_id = $1 AND purpose <> 'email'
""",
)

SPOIL_PROOFS = Query(
    "accounts.spoil_proofs",
    "UPDATE accounts.proof SET used_at = now() WHERE customer_id = $1 AND purpose = $2 AND used_at IS NULL",
)

SET_PASSWORD = Query(
    "accounts.set_password",
    """
UPDATE accounts.customer SET password_hash = $2, verified_at = coalesce(verified_at, $3)
WHERE id = $1 AND is_active AND ($4::text IS NULL OR password_hash = $4)
""",
)

PASSWORD = Query(
    "accounts.password_of", "SELECT email, name, password_hash FROM accounts.customer WHERE id = $1 AND is_active"
)

BEGAN_LATELY = Query(
    "accounts.began_lately", "SELECT id FROM accounts.session WHERE id = $1 AND created_at > now() - $2::interval"
)

VERIFIED = Query(
    "accounts.verified", "UPDATE accounts.customer SET verified_at = coalesce(verified_at, now()) WHERE id = $1"
)
