"""Whether what the shop needs is there: a full pool is not a lost database, and nothing unforeseen ends the looking."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.conftest import platform_of
from tfmshop.platform.checks import HOLDS_SECONDS, UP, Checks
from tfmshop.platform.db import Options, connect


@pytest.fixture
async def narrow(settings, fresh_url):
    db = await connect(fresh_url, Options(minimum=1, maximum=1, acquire_seconds=0.05))
    platform = platform_of(settings.replace(DATABASE_URL=fresh_url), db)
    yield platform
    await platform.close()


async def test_all_is_well_and_known_with_versions(narrow):
    seen = await Checks(narrow).look()
    assert {name: one.status for name, one in seen.items()} == {"postgresql": "ok", "redis": "ok"}
    assert seen["postgresql"].version[:2].isdigit()


async def test_a_full_pool_is_not_a_lost_database(narrow):
    checks = Checks(narrow)
    held = await narrow.db.acquire()
    assert (await checks.look())["postgresql"].status == "ok"
    narrow.db.lender.release(held)


async def _looked(checks):
    checks._looked_at -= HOLDS_SECONDS
    return (await checks.look())["postgresql"].status


async def test_what_nobody_foresaw_is_down_and_over_when_it_is_over(narrow):
    checks = Checks(narrow)
    with capture_logs() as said:
        assert await _looked(checks) == "ok"
        async with narrow.db.tx() as tx:
            await tx._connection.execute("ALTER TABLE public.alembic_version RENAME TO elsewhere")
        assert await _looked(checks) == await _looked(checks) == "down"
        assert UP.of("postgresql").value == 0
        async with narrow.db.tx() as tx:
            await tx._connection.execute("ALTER TABLE public.elsewhere RENAME TO alembic_version")
        assert await _looked(checks) == await _looked(checks) == "ok"
    told = [(one["log_level"], one["event"].partition(":")[0]) for one in said if one["event"].startswith("postgresql")]
    assert told == [("error", "postgresql cannot be used"), ("info", "postgresql is back")]
    assert checks.seen["postgresql"].last_error
