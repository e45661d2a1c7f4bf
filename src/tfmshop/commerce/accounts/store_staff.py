"""The statements of staff and roles."""

from tfmshop.platform.db import Query

_ROLE = "name, permissions, meaning, built_in, version"

OF_STAFF = Query(
    "accounts.of_staff",
    """
SELECT r.permissions, s.strong FROM accounts.session AS s
JOIN accounts.customer AS c ON c.id = s.customer_id JOIN accounts.role AS r ON r.name = c.role
WHERE s.id = $1 AND s.customer_id = $2 AND s.ended_at IS NULL AND s.expires_at > now() AND c.is_active
""",
)
LIST_ROLES = Query("accounts.list_roles", f"SELECT {_ROLE} FROM accounts.role ORDER BY name")
HOLD_ROLE = Query("accounts.hold_role", f"SELECT {_ROLE} FROM accounts.role WHERE name = $1 FOR UPDATE")
ADD_ROLE = Query(
    "accounts.add_role",
    f"""
INSERT INTO accounts.role (name, permissions, meaning) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING
RETURNING {_ROLE}
""",
)
CHANGE_ROLE = Query(
    "accounts.change_role",
    f"UPDATE accounts.role SET permissions = $2, meaning = $3, version = version + 1 WHERE name = $1 RETURNING {_ROLE}",
)
DROP_ROLE = Query("accounts.drop_role", "DELETE FROM accounts.role WHERE name = $1")

_PERSON = "id, email, name, role, is_active, created_at"
_PAGE = """
WHERE ($1::text IS NULL OR role = $1) AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
ORDER BY created_at DESC, id DESC LIMIT $4
"""
BROWSE_PEOPLE = Query("accounts.browse_people", f"SELECT {_PERSON} FROM accounts.customer {_PAGE}")
FIND_PEOPLE = Query(
    "accounts.find_people",
    f"""
WITH found AS MATERIALIZED (
    SELECT {_PERSON} FROM accounts.customer WHERE lower(email) LIKE $5 OR lower(name) LIKE $5
)
SELECT {_PERSON} FROM found {_PAGE}
""",
)
SHOW_PERSON = Query(
    "accounts.show_person",
    """
SELECT c.id, c.email, c.name, c.role, c.customer_group, c.is_active, c.verified_at IS NOT NULL,
    EXISTS (SELECT FROM accounts.second_factor AS f WHERE f.customer_id = c.id AND f.confirmed_at IS NOT NULL),
    (SELECT count(*)::int FROM accounts.session AS s
     WHERE s.customer_id = c.id AND s.ended_at IS NULL AND s.expires_at > now()),
    c.created_at
FROM accounts.customer AS c WHERE c.id = $1
""",
)
LOCK_STAFF = Query("accounts.lock_staff", "SELECT pg_advisory_xact_lock(hashtext('accounts.staff'))")
HOLD_PERSON = Query(
    "accounts.hold_staff",
    "SELECT role, is_active, email, verified_at FROM accounts.customer WHERE id = $1 FOR UPDATE",
)
OTHER_ADMINS = Query(
    "accounts.other_admins",
    "SELECT EXISTS (SELECT FROM accounts.customer WHERE role = 'admin' AND is_active AND id <> $1)",
)
SET_ACTIVE = Query("accounts.set_active", "UPDATE accounts.customer SET is_active = $2 WHERE id = $1")
SET_ROLE = Query("accounts.set_role", "UPDATE accounts.customer SET role = $2 WHERE id = $1")
