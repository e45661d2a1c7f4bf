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
WITH whole AS (
    SELECT quote_ident($1::text) AS role, quote_ident(pg_get_userbyid(nspowner)) AS owner,
        string_agg(quote_ident(s.nspname), ', ') AS names
    FROM pg_namespace AS p JOIN pg_namespace AS s USING (nspowner)
    WHERE p.nspname = 'platform' AND s.nspname !~ '^(pg_|information_schema$|public$)' GROUP BY nspowner
)
SELECT unnest(ARRAY[
    format('GRANT USAGE ON SCHEMA %s TO %s', names, role),
    format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s', names, role),
    format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %s TO %s', names, role),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT USAGE ON SCHEMAS TO %s', owner, role),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %s', owner, role),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT USAGE, SELECT ON SEQUENCES TO %s', owner, role),
    format('GRANT SELECT ON public.alembic_version TO %s', role),
    format('REVOKE UPDATE, DELETE ON %s FROM %s', array_to_string($2::text[], ', '), role)
]) AS sql FROM whole
""",
)


class NoSuchRole(
    ShopError, kind=Kind.NOT_FOUND, code="role_unknown",
    says="PostgreSQL has no role {role}: CREATE ROLE {role} LOGIN PASSWORD '...', as an administrator of it.",
):  # fmt: skip
    """Nobody was let do anything."""

    role: str


class OwnsTheShop(ShopError, kind=Kind.CONFLICT, code="role_owns", says="{role} owns the shop's tables already."):
    """It is a superuser, the owner, or a member of the owner."""

    role: str


class NotTheOwner(
    ShopError, kind=Kind.FORBIDDEN, code="role_not_owner",
    says="Only the owner of the shop's tables lets others serve it: use the DATABASE_URL that migrates.",
):  # fmt: skip
    """The role of `DATABASE_URL` owns nothing."""


async def let_serve(tx: Tx, role: str) -> list[str]:
    """Let a role serve the shop and work for it, now and after later migrations; the statements that did it, in their
    order: what is taken back comes last. `NoSuchRole`, `OwnsTheShop`, `NotTheOwner`.
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
