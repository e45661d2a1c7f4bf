"""The statements of accounts elsewhere."""

from tfmshop.platform.db import Query

FIND = Query(
    "accounts.find_identity",
    """
SELECT c.id, c.role, c.is_active, c.password_hash FROM accounts.identity AS i
JOIN accounts.customer AS c ON c.id = i.customer_id WHERE i.provider = $1 AND i.subject = $2
""",
)
FIND_BY_EMAIL = Query(
    "accounts.hold_person_by_email",
    """
SELECT id, role, is_active, password_hash, verified_at, EXISTS (
    SELECT FROM accounts.second_factor AS f WHERE f.customer_id = c.id AND f.confirmed_at IS NOT NULL) AS strong
FROM accounts.customer AS c WHERE lower(email) = $1 FOR NO KEY UPDATE OF c
""",
)
ADD_PERSON = Query(
    "accounts.add_person_verified",
    """
INSERT INTO accounts.customer (id, email, name, password_hash, created_at, verified_at)
VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (lower(email)) DO NOTHING
RETURNING id, role, is_active, password_hash, verified_at
""",
)
ADD = Query(
    "accounts.add_identity",
    """
INSERT INTO accounts.identity (provider, subject, customer_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (provider, subject) DO NOTHING
""",
)
LIST = Query(
    "accounts.list_identities",
    "SELECT provider, created_at FROM accounts.identity WHERE customer_id = $1 ORDER BY created_at, provider",
)
DROP = Query("accounts.drop_identity", "DELETE FROM accounts.identity WHERE customer_id = $1 AND provider = $2")
OTHER_WAYS = Query(
    "accounts.other_ways_in",
    """
SELECT c.password_hash <> $3 OR EXISTS (
    SELECT FROM accounts.identity AS i WHERE i.customer_id = c.id AND i.provider <> $2)
FROM accounts.customer AS c WHERE c.id = $1
""",
)
HOLD = Query("accounts.hold_owner", "SELECT id FROM accounts.customer WHERE id = $1 FOR NO KEY UPDATE")
FORGET = Query("accounts.forget_identities", "DELETE FROM accounts.identity WHERE customer_id = $1")
