"""Slow statements are counted and told, with a plan that has no values."""

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from tfmshop.platform.db import Query
from tfmshop.platform.db.slow import AGAIN_SECONDS, SLOW, without_values
from tfmshop.platform.errors import ShopError
from tfmshop.platform.observe import logs

NAP = Query("test.nap", "SELECT name, pg_sleep(0.02) FROM accounts.role WHERE name = $1 AND meaning <> 'a secret'")
FAIL = Query("test.fail_slowly", "SELECT 1 / length(pg_sleep(0.02)::text)")


@pytest.fixture
def slow():
    logs.slow_from(request=1, query=0.015, job=1)
    yield
    logs.slow_from(request=float("inf"), query=float("inf"), job=float("inf"))


async def test_a_slow_statement_is_told_with_its_plan_and_the_next_ones_without(wide_db, slow):
    before = SLOW.of("test.nap").value
    with capture_logs() as told:
        for _ in range(2):
            async with wide_db.read() as tx:
                await tx.rows(NAP, "admin")
            await asyncio.wait([wide_db.slow._task])
    assert SLOW.of("test.nap").value == before + 2
    first, second = (event for event in told if event["event"] == "slow query")
    assert (first["name"], first["event.dataset"]) == ("test.nap", "performance")
    assert first["seconds"] >= 0.02
    plan = "\n".join(first["plan"])
    assert "role" in plan
    assert "admin" not in plan
    assert "secret" not in plan
    assert "plan" not in second
    assert AGAIN_SECONDS >= 10


async def test_a_slow_failure_is_told_too(wide_db, slow):
    before = SLOW.of("test.fail_slowly").value
    with pytest.raises((asyncpg.PostgresError, ShopError)):
        async with wide_db.read() as tx:
            await tx.rows(FAIL)
    assert SLOW.of("test.fail_slowly").value == before + 1


@pytest.mark.parametrize(("line", "told"), [
    ("  Index Cond: (email = 'it''s me'::text)", "  Index Cond: (email = ?::text)"),
    ("   Filter: ((price > 100) AND (n = -1.5))", "   Filter: ((price > ?) AND (n = ?))"),
    ("  Filter: (a = 'one\n  Filter: (secret = two''three'::text)", "  Filter: (a = ?::text)"),
    ("  One-Time Filter: ('secret'::text = $1)", "  One-Time Filter: (?::text = $1)"),
    ("  Sort Key: (lower(title)), col2", "  Sort Key: (lower(title)), col2"),
    ("->  Seq Scan on t2  (cost=0.00..1.05 rows=5 width=36)", "->  Seq Scan on t2  (cost=0.00..1.05 rows=5 width=36)"),
])  # fmt: skip
def test_values_are_left_out(line, told):
    assert without_values(line) == told
