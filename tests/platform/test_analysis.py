"""The analyzer finds what is wrong with a database, proposes the right SQL, and mends what it may."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from tests.processes import tfmshop
from tfmshop import app  # noqa: F401 - registers every statement
from tfmshop.platform.analysis import server
from tfmshop.platform.analysis.effect import effect
from tfmshop.platform.analysis.indexes import indexes, needed
from tfmshop.platform.analysis.plans import plan
from tfmshop.platform.analysis.queries import costs
from tfmshop.platform.analysis.study import NotMended, mend, study
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Query
from tfmshop.platform.db.query import QUERIES
from tfmshop.platform.observe import readings
from tfmshop.platform.observe.metrics import CELLS

SPOIL = """
ALTER TABLE accounts.customer SET (autovacuum_enabled = false);
ALTER TABLE accounts.address SET (autovacuum_enabled = false);
INSERT INTO accounts.customer (id, email, name, password_hash, role, created_at)
SELECT gen_random_uuid(), n || '@example.com', 'n', '', 'customer', now() FROM generate_series(1, 4000) AS n;
INSERT INTO accounts.address (id, customer_id, address, created_at)
SELECT gen_random_uuid(), id, '{}', now() - random() * interval '9 days' FROM accounts.customer, generate_series(1, 3);
ANALYZE accounts.customer;
DROP INDEX accounts.address_customer;
CREATE INDEX useless ON accounts.address (is_default);
CREATE INDEX twice ON accounts.customer (role);
"""
NAP = Query("test.measured", "SELECT 1")


async def run(url: str, *statements: str) -> None:
    """Run statements, each by itself, and have the statistics tell of them."""
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.close()


async def look(db):
    return await study(db, readings.summed([]), lambda *_: None)


async def test_what_was_spoiled_is_found_and_mended(wide_db, fresh_url):
    await run(fresh_url, *SPOIL.strip().split(";\n"))
    for _ in range(3):
        await run(fresh_url, "UPDATE accounts.customer SET name = name || 'x'")
    found = await look(wide_db)
    said = {(one.kind, one.what): one for one in found.advice}
    missing = said.pop(("missing index", "accounts.address_customer"))
    assert missing.sql == [
        "CREATE INDEX CONCURRENTLY address_customer ON accounts.address USING btree (customer_id, created_at)"
    ]
    assert "On a copy of 12,0" in missing.effect
    assert "read as a whole meanwhile by accounts." in missing.evidence
    unused = said.pop(("unused index", "accounts.useless"))
    assert unused.sql == ["DROP INDEX CONCURRENTLY accounts.useless"]
    assert unused.undo.startswith("CREATE INDEX CONCURRENTLY useless ON accounts.address")
    said.pop(("duplicate index", "accounts.twice"), None) or said.pop(("unused index", "accounts.twice"))
    assert said.pop(("stale statistics", "accounts.address")).sql == ["ANALYZE accounts.address"]
    said.pop(("stale statistics", "accounts.customer"))
    assert said.pop(("bloated table", "accounts.customer")).sql == ["VACUUM (FULL, ANALYZE) accounts.customer"]
    assert not said
    for one in found.advice:
        assert one.safe
        await mend(wide_db, one, lock_seconds=30.0)  # other tests hold transactions open beside this one
    deadline = monotonic() + 20
    while left := (await look(wide_db)).advice:  # figures come late
        assert monotonic() < deadline, left
        await run(fresh_url)


@pytest.mark.parametrize("holding", [
    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM accounts.customer",
    "BEGIN; CREATE TABLE public.written_and_waiting (id int)",
])  # fmt: skip
async def test_dead_rows_that_somebody_still_sees_are_not_called_swept(wide_db, fresh_url, holding):
    reader = await asyncpg.connect(fresh_url, server_settings={"application_name": "a long report"})
    await run(fresh_url, *SPOIL.strip().split(";\n")[:5])
    await reader.execute(holding)
    await run(fresh_url, "UPDATE accounts.customer SET name = name || 'x'")
    (bloated,) = [one for one in (await look(wide_db)).advice if one.kind == "bloated table"]
    with pytest.raises(NotMended, match=r"still seen by connection .* \(a long report\): end it"):
        await mend(wide_db, bloated, lock_seconds=0.2)
    await reader.close()
    await mend(wide_db, bloated, lock_seconds=30.0)  # other tests hold transactions open beside this one
    deadline = monotonic() + 20
    while [one for one in (await look(wide_db)).advice if one.kind == "bloated table"]:  # figures come late
        assert monotonic() < deadline
        await run(fresh_url)


async def test_a_broken_index_is_made_anew(wide_db, fresh_url):
    await run(
        fresh_url, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'accounts.address_customer'::regclass"
    )
    (one,) = (await look(wide_db)).advice
    assert one.sql[0] == "DROP INDEX CONCURRENTLY accounts.address_customer"
    await mend(wide_db, one)
    async with wide_db.read() as tx:
        assert all(one.is_valid for one in await indexes(tx))


async def test_a_statement_that_reads_a_whole_table_is_told(wide_db, fresh_url):
    await run(fresh_url, *SPOIL.strip().split(";\n")[:5])
    by_moment = Query("probe.by_moment", "SELECT count(*) FROM accounts.customer WHERE name = $1")
    try:
        async with wide_db.read() as tx:
            await tx.value(by_moment, "n")
        found = await study(wide_db, readings.summed(CELLS.read()), lambda *_: None)
    finally:
        del QUERIES["probe.by_moment"]
    (one,) = [one for one in found.advice if one.what == "accounts.customer (name)"]
    assert one.sql == ["CREATE INDEX CONCURRENTLY ON accounts.customer (name)"]
    assert not one.safe
    assert "probe.by_moment (1 calls" in one.evidence
    assert "of name" in one.effect


async def test_an_index_is_measured_on_a_copy_and_nothing_stays(wide_db, fresh_url):
    await run(fresh_url, *SPOIL.strip().split(";\n")[:5])
    told = await effect(wide_db, "accounts.address", "CREATE INDEX ON accounts.address (customer_id)")
    without, with_it = (
        int(part.split(" pages")[0].rpartition(" ")[2].replace(",", "")) for part in told.split(" ms and ")[1:]
    )
    assert without > 20 * with_it
    assert await effect(wide_db, "orders.line", "CREATE INDEX ON orders.line (sku)") == ""
    assert await effect(wide_db, "accounts.address", "CREATE INDEX ON accounts.address USING gin (address)") == ""
    async with wide_db.read() as tx:
        assert not [one for one in await indexes(tx) if "measured" in one.name]


async def test_the_needed_indexes_are_those_of_the_migrations(wide_db):
    async with wide_db.read() as tx:
        there = {one.name: one.definition for one in await indexes(tx) if not one.name.startswith("public.")}
    assert needed() == there, "run tools/indexes"


async def test_what_statements_cost(wide_db):
    before = {cost.name: cost.calls for cost in costs(readings.summed(CELLS.read()))}.get("test.measured", 0)
    for _ in range(3):
        async with wide_db.read() as tx:
            await tx.value(NAP)
    (cost,) = [cost for cost in costs(readings.summed(CELLS.read())) if cost.name == "test.measured"]
    assert (cost.calls - before, cost.errors) == (3, 0)
    assert 0 < cost.mean_ms <= cost.most_ms
    assert cost.p95_ms <= cost.most_ms


async def test_who_waits_for_whom(wide_db, fresh_url):
    holder, waiter = await asyncpg.connect(fresh_url), await asyncpg.connect(fresh_url)
    await holder.execute("BEGIN; LOCK TABLE accounts.role")
    waiting = asyncio.create_task(waiter.execute("SELECT * FROM accounts.role"))
    for _ in range(200):
        async with wide_db.read() as tx:
            found = await server.locks(tx)
        if found:
            break
        await asyncio.sleep(0.02)
    (one,) = found
    assert (one.blocker_state, "accounts.role" in one.wants) == ("idle in transaction", True)
    async with wide_db.read() as tx:
        assert {one.pid, one.blocked_by} <= {busy.pid for busy in await server.activity(tx)}
    await holder.execute("ROLLBACK")
    async with wide_db.read() as tx:
        assert "catalog.product" in {size.name for size in await server.sizes(tx)}
    await waiting
    await holder.close()
    await waiter.close()


async def test_a_plan_is_shown(wide_db):
    lines = await plan(wide_db, QUERIES["jobs.figures"])
    assert "pgqueuer" in "\n".join(lines)


@pytest.mark.parametrize("command", [
    ["db", "queries"], ["db", "activity"], ["db", "locks", "--json"], ["db", "sizes"], ["db", "bloat", "--json"],
    ["db", "indexes", "--table", "orders.line"], ["db", "explain", "jobs.figures"], ["optimize"],
    ["optimize", "database", "--apply", "--json"],
])  # fmt: skip
def test_every_command_speaks_to_people_or_to_programs(command, fresh_url, tmp_path):
    settings = {"DATABASE_URL": fresh_url, "TFMSHOP_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    told = tfmshop(*command, cwd=tmp_path, **settings)
    assert (told.returncode, told.stderr) == (0, ""), told.stderr
    assert told.stdout.strip()
    assert "--json" not in command or json.loads(told.stdout) is not None


def test_an_unknown_statement_and_a_report(fresh_url, tmp_path):
    settings = {"DATABASE_URL": fresh_url, "TFMSHOP_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    wrong = tfmshop("db", "explain", "orders.figures", cwd=tmp_path, **settings)
    assert (wrong.returncode, "is it jobs.figures?" in wrong.stderr) == (1, True)
    file = tmp_path / "report.html"
    assert (
        tfmshop("optimize", "report", "--format", "html", "--output", str(file), cwd=tmp_path, **settings).returncode
        == 0
    )
    text = file.read_text()
    assert "The largest tables" in text
    assert "http" not in text.replace("http-equiv", "")


async def test_names_are_quoted_and_what_is_not_the_shops_is_left_alone(wide_db, fresh_url):
    await run(fresh_url, *SPOIL.strip().split(";\n")[2:5])
    await run(
        fresh_url, 'CREATE INDEX "Address_Customer" ON accounts.address (created_at)',
        "CREATE INDEX \"odd; name\" ON accounts.address ((address ->> 'city'))",
        'CREATE INDEX by_name_c ON accounts.customer (name COLLATE "C")',
        "CREATE SCHEMA theirs", "CREATE TABLE theirs.thing (a int, b int)", "CREATE INDEX thing_a ON theirs.thing (a)",
        "CREATE INDEX thing_ab ON theirs.thing (a, b)",
    )  # fmt: skip
    found = [one for one in (await look(wide_db)).advice if "index" in one.kind]
    assert {one.what for one in found} == {
        'accounts."Address_Customer"', 'accounts."odd; name"', "accounts.by_name_c",
    }  # fmt: skip
    for one in found:
        await mend(wide_db, one)
    async with wide_db.read() as tx:
        left = {one.name for one in await indexes(tx)}
    assert {"accounts.address_customer", "theirs.thing_a", "theirs.thing_ab"} <= left
    assert not {one.what for one in found} & left


async def test_of_an_index_that_cannot_be_made_nothing_stays(wide_db, fresh_url):
    await run(fresh_url, "DROP INDEX accounts.address_customer")
    (one,) = (await look(wide_db)).advice
    holder = await asyncpg.connect(fresh_url)
    await holder.execute("BEGIN; INSERT INTO accounts.customer (id, email, name, password_hash, role, created_at) "
                         "VALUES (gen_random_uuid(), 'x@example.com', 'x', '', 'customer', now())")  # fmt: skip
    await holder.execute("INSERT INTO accounts.address (id, customer_id, address, created_at) "
                         "SELECT gen_random_uuid(), id, '{}', now() FROM accounts.customer LIMIT 1")  # fmt: skip
    mending = asyncio.create_task(mend(wide_db, one, lock_seconds=0.3))
    await asyncio.sleep(1)
    await holder.execute("ROLLBACK")
    await holder.close()
    with pytest.raises(NotMended):
        await mending
    async with wide_db.read() as tx:
        assert "accounts.address_customer" not in {index.name for index in await indexes(tx)}
    await mend(wide_db, one)
    assert (await look(wide_db)).advice == []
