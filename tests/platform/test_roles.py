"""A role that serves the shop and owns nothing of it: it can do all that is needed, and no more."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import open_client
from tests.journeys.test_buying import work_off
from tests.making import a_product, take_money
from tests.processes import tfmshop
from tests.servers import REDIS
from tests.surface.test_backoffice import staff
from tests.surface.test_commands import fails
from tfmshop import app  # noqa: F401 - registers every statement
from tfmshop.platform.db import Options, connect, roles
from tfmshop.platform.db.query import FAMILIES, QUERIES

AS_OWNER = ("ANALYZE", "VACUUM", "SET")
"""What has no plan, or is for operators."""


@pytest.fixture
async def served(fresh_url, wide_db):
    """The address of a shop for a role that was let serve it, and one for the owner."""
    role = f"app_{uuid4().hex[:8]}"
    owner = await asyncpg.connect(fresh_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    async with wide_db.tx() as tx:
        await roles.let_serve(tx, role)
    parts = urlsplit(fresh_url)
    host = parts.netloc.rpartition("@")[2]
    yield parts._replace(netloc=f"{role}:secret@{host}").geturl(), role
    await owner.execute(f"DROP OWNED BY {role}")
    await owner.execute(f"DROP ROLE {role}")
    await owner.close()


async def test_every_statement_is_allowed_to_who_serves(served):
    """EXPLAIN looks at what is allowed, as running it would."""
    connection = await asyncpg.connect(served[0])
    statements = {name: query.sql for name, query in QUERIES.items() if not name.startswith("test.")}
    statements |= {f"{name} {n}": family.of(shape).sql for name, family in FAMILIES.items()
                   for n, shape in enumerate(list(family.shapes())[:3])}  # fmt: skip
    tried = 0
    for name, sql in statements.items():
        if sql.lstrip().startswith(AS_OWNER):
            continue
        try:
            await connection.execute(f"EXPLAIN (GENERIC_PLAN) {sql}")
        except asyncpg.InsufficientPrivilegeError as error:
            pytest.fail(f"{name}: {error}")
        except asyncpg.PostgresError:
            continue
        tried += 1
    await connection.close()
    assert tried >= 0.9 * len(statements), (tried, len(statements))


@pytest.mark.parametrize("sql", [
    "DROP TABLE orders.placed", "ALTER TABLE orders.placed ADD COLUMN x integer", "CREATE TABLE orders.x (x integer)",
    "CREATE SCHEMA x", "TRUNCATE orders.line", "UPDATE audit.entry SET who = 'x'", "DELETE FROM audit.entry",
    "UPDATE orders.history SET who = 'x'", "DELETE FROM orders.history", "UPDATE alembic_version SET version_num = '1'",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE TRIGGER x BEFORE DELETE ON orders.placed EXECUTE FUNCTION suppress_redundant_updates_trigger()",
])  # fmt: skip
async def test_who_serves_changes_no_table_and_no_history(served, sql):
    connection = await asyncpg.connect(served[0])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(sql)
    await connection.close()


async def test_a_shop_is_served_by_who_owns_nothing_also_what_comes_later(served, fresh_url, settings, fake):
    owner = await asyncpg.connect(fresh_url)
    await owner.execute("CREATE SCHEMA later; CREATE TABLE later.things (id bigserial PRIMARY KEY, name text)")
    db = await connect(served[0], Options(minimum=1, maximum=5, acquire_seconds=10))
    async with open_client(settings, db, fake) as shop:
        async with db.tx() as tx:
            lamp = await a_product(tx, price=1000, stock=5)
        me = await shop.sign_in("me@example.com")
        order = await shop.buy(await shop.cart_with((lamp, 2)))
        assert order.status_code == 201, order.text
        await take_money(db)
        number = order.json()["number"]
        sent = await shop.post(f"admin/orders/{number}/shipments", json={}, headers=staff())
        assert sent.status_code == 201, sent.text
        await work_off(db)
        assert (await shop.get("search?q=lamp")).status_code == 200
        assert (await shop.post("me/erase", json={"password": "correct horse"}, headers=me)).status_code == 204
    await db.close()
    connection = await asyncpg.connect(served[0])
    await connection.execute("INSERT INTO later.things (name) VALUES ('x')")
    assert await connection.fetchval("SELECT count(*) FROM later.things") == 1
    await connection.close()
    await owner.close()


async def test_who_cannot_be_let_serve(served, fresh_url, wide_db):
    url, role = served
    async with wide_db.tx() as tx:
        assert await roles.let_serve(tx, role), "again"
        with pytest.raises(roles.NoSuchRole, match=r"no role nobody\.here: CREATE ROLE"):
            await roles.let_serve(tx, "nobody.here")
        owner = await asyncpg.connect(fresh_url)
        with pytest.raises(roles.OwnsTheShop):
            await roles.let_serve(tx, await owner.fetchval("SELECT current_user"))
        await owner.close()
    db = await connect(url, Options(minimum=1, maximum=1))
    async with db.tx() as tx:
        with pytest.raises(roles.NotTheOwner):
            await roles.let_serve(tx, role)
    await db.close()


async def test_an_operator_lets_a_role_serve(served, fresh_url, tmp_path):
    shop = {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path / "home")}

    def run(*arguments: str, **settings: str):
        return tfmshop(*arguments, cwd=tmp_path, **shop | settings)

    done = run("db", "grant", served[1])
    assert done.returncode == 0, done.stderr
    assert "audit.entry" in done.stdout
    assert json.loads(run("db", "grant", served[1], "--json").stdout)["role"] == served[1]
    fails(run("db", "grant", "nobody"), 1, "CREATE ROLE nobody LOGIN")
    fails(run("db", "grant", served[1], DATABASE_URL=served[0]), 1, "the DATABASE_URL that migrates")
    for command in (["doctor"], ["orders", "list"], ["db", "queries"], ["seed"], ["jobs", "list"]):
        result = run(*command, DATABASE_URL=served[0])
        assert "permission denied" not in result.stdout + result.stderr, result.stdout + result.stderr


async def test_what_the_owner_makes_later_is_served_whoever_let_the_role(fresh_url, wide_db):
    """An administrator's grant holds for what the owner of the schema makes, and not for what they make themselves."""
    names = [f"{kind}_{uuid4().hex[:8]}" for kind in ("owner", "app")]
    admin = await asyncpg.connect(fresh_url)
    for name in names:
        await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    schemas = [row["nspname"] for row in await admin.fetch(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'")]  # fmt: skip
    for schema in schemas:
        await admin.execute(f"ALTER SCHEMA {schema} OWNER TO {names[0]}")
    async with wide_db.tx() as tx:
        await roles.let_serve(tx, names[1])
    await admin.execute(f"SET ROLE {names[0]}; CREATE TABLE platform.later (id integer); RESET ROLE")
    assert await admin.fetchval("SELECT has_table_privilege($1, 'platform.later', 'INSERT')", names[1])
    for schema in schemas:
        await admin.execute(f"ALTER SCHEMA {schema} OWNER TO CURRENT_USER")
    for name in names:
        await admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    await admin.close()
