"""A role of PostgreSQL that serves the shop and works for it, and owns nothing of it: it changes rows, never tables."""

from __future__ import annotations

from typing import Final

from tfmshop.platform.db.query import Query, written
from tfmshop.platform.db.tx import Tx
from tfmshop.platform.errors import Kind, ShopError

WRITTEN_ONCE: Final = ("audit.entry", "orders.history", "public.alembic_version")
"""Tables whose rows such a role cannot change or remove: what happened, and which release the schema is of."""
ROLE = Query(
    "db.role",
    """
SELECT r.rolsuper OR pg_has_role(r.oid, n.nspowner, 'MEMBER') AS owns, pg_has_role(n.nspowner, 'MEMBER') AS ours
FROM pg_namespace AS n LEFT JOIN pg_roles AS r ON r.rolname = $1 WHERE n.nspname = 'platform'
""",
)
GRANTS = Query(
    "db.grants",
    """
WITH ours AS (
    SELECT quote_ident(s.nspname) AS name, quote_ident($1) AS role
    FROM pg_namespace AS s JOIN pg_namespace AS p ON p.nspname = 'platform' AND p.nspowner = s.nspowner
    WHERE s.nspname !~ '^(pg_|information_schema$|public$)' ORDER BY s.nspname
)
SELECT format('GRANT USAGE ON SCHEMA %s TO %s', name, role) AS sql FROM ours
UNION ALL SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s', name, role) FROM ours
UNION ALL SELECT format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %s TO %s', name, role) FROM ours
UNION ALL SELECT format('ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO %I', $1)
UNION ALL SELECT format('ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', $1)
UNION ALL SELECT format('ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO %I', $1)
UNION ALL SELECT format('GRANT SELECT ON public.alembic_version TO %I', $1)
UNION ALL SELECT format('REVOKE UPDATE, DELETE ON %s FROM %I', name, $1) FROM unnest($2::text[]) AS name
""",
)


class NoSuchRole(
    ShopError, kind=Kind.NOT_FOUND, code="role_unknown",
    says="PostgreSQL has no role {role}: CREATE ROLE {role} LOGIN PASSWORD '...', as an administrator of it.",
):  # fmt: skip
    """Nobody was let do anything."""

    role: str


class OwnsTheShop(
    ShopError, kind=Kind.CONFLICT, code="role_owns", says="{role} may do everything already: it owns the shop's tables."
):
    """It is a superuser, the owner, or a member of the owner."""

    role: str


class NotTheOwner(
    ShopError, kind=Kind.FORBIDDEN, code="role_not_owner",
    says="Only the owner of the shop's tables lets others serve it: use the DATABASE_URL that migrates.",
):  # fmt: skip
    """The role of `DATABASE_URL` owns nothing."""


async def let_serve(tx: Tx, role: str) -> list[str]:
    """Let a role serve the shop and work for it, now and after later migrations; the statements that did it.

    `NoSuchRole`, `OwnsTheShop`, `NotTheOwner`.
    """
    row = await tx.row(ROLE, role)
    assert row is not None  # noqa: S101 - the schema is there: a platform opened it
    if not row["ours"]:
        raise NotTheOwner
    if row["owns"] is None:
        raise NoSuchRole(role=role)
    if row["owns"]:
        raise OwnsTheShop(role=role)
    statements = [str(one["sql"]) for one in await tx.rows(GRANTS, role, list(WRITTEN_ONCE))]
    for sql in statements:
        await tx.execute(written("db.grant", sql))
    return statements
