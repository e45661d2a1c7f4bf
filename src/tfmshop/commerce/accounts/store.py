"""Every statement of accounts."""

from tfmshop.platform.db import Copy, Query

REGISTER = Query(
    "accounts.register",
    """
INSERT INTO accounts.customer (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (lower(email)) DO NOTHING
""",
)

FIND_BY_EMAIL = Query(
    "accounts.find_by_email",
    """
SELECT c.id, c.role, c.is_active, c.password_hash,
    EXISTS (SELECT FROM accounts.session AS s WHERE s.customer_id = c.id AND s.address = $2) AS known_here
FROM accounts.customer AS c WHERE lower(c.email) = $1
""",
)

_PERSON = "id, email, name, role, is_active, created_at"

FIND = Query("accounts.find", f"SELECT {_PERSON} FROM accounts.customer WHERE id = $1 AND is_active")

LIST = Query("accounts.list", f"SELECT {_PERSON} FROM accounts.customer ORDER BY created_at DESC, id DESC LIMIT $1")
LIST_BY_ROLE = Query(
    "accounts.list_by_role",
    f"""
SELECT {_PERSON} FROM accounts.customer WHERE role = $2 ORDER BY created_at DESC, id DESC LIMIT $1
""",
)
LIST_INACTIVE = Query(
    "accounts.list_inactive",
    f"""
SELECT {_PERSON} FROM accounts.customer WHERE NOT is_active ORDER BY created_at DESC, id DESC LIMIT $1
""",
)

SET_GROUP = Query(
    "accounts.set_group",
    """
WITH was AS (SELECT id, customer_group FROM accounts.customer WHERE id = $1 FOR UPDATE)
UPDATE accounts.customer AS c SET customer_group = $2 FROM was AS w WHERE c.id = w.id RETURNING w.customer_group
""",
)

COPY_CUSTOMERS = Copy("accounts.copy_customers", "accounts.customer", (
    "id", "email", "name", "password_hash", "role", "is_active", "created_at",
))  # fmt: skip
COPY_ADDRESSES = Copy("accounts.copy_addresses", "accounts.address", (
    "id", "customer_id", "address", "is_default", "created_at",
))  # fmt: skip
ANALYZE = Query("accounts.analyze", "ANALYZE accounts.customer, accounts.address")
