"""The statements of second factors."""

from tfmshop.platform.db import Query

BEGIN = Query(
    "accounts.begin_factor",
    """
INSERT INTO accounts.second_factor AS f (customer_id, salt) VALUES ($1, $2)
ON CONFLICT (customer_id) DO UPDATE SET salt = excluded.salt WHERE f.confirmed_at IS NULL
RETURNING customer_id
""",
)

HOLD = Query(
    "accounts.hold_factor",
    """
SELECT customer_id, salt, confirmed_at, last_step, recovery, failed, next_try_at
FROM accounts.second_factor WHERE customer_id = $1 FOR UPDATE
""",
)

CONFIRM = Query(
    "accounts.confirm_factor",
    """
UPDATE accounts.second_factor SET confirmed_at = now(), last_step = $2, recovery = $3, failed = 0, next_try_at = NULL
WHERE customer_id = $1
""",
)

NOTE_SUCCESS = Query(
    "accounts.factor_passed",
    """
UPDATE accounts.second_factor SET last_step = $2, recovery = $3, failed = 0, next_try_at = NULL WHERE customer_id = $1
""",
)

NOTE_FAILURE = Query(
    "accounts.factor_failed",
    "UPDATE accounts.second_factor SET failed = $2, next_try_at = $3 WHERE customer_id = $1",
)

DROP = Query("accounts.drop_factor", "DELETE FROM accounts.second_factor WHERE customer_id = $1")
DROP_UNPROVEN = Query(
    "accounts.drop_unproven",
    """
WITH places AS (DELETE FROM accounts.address WHERE customer_id = $1)
DELETE FROM accounts.second_factor AS f USING accounts.customer AS c
WHERE f.customer_id = $1 AND c.id = $1 AND c.role = 'customer'
""",
)
WEAKEN = Query("accounts.weaken_sessions", "UPDATE accounts.session SET strong = false WHERE customer_id = $1")
ID_OF = Query("accounts.id_of", "SELECT id FROM accounts.customer WHERE lower(email) = $1")
