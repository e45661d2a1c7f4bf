"""Sample shops: the same seed, the same shop."""

from __future__ import annotations

import pytest

from tests.conftest import platform_of
from tfmshop.platform.db import Query, broken
from tfmshop.surface.sample import fill, large, performance, small

DIGESTS = {
    table: Query(f"test.digest_{table[:3]}_{table.split('.')[1]}",
                 f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} AS t")
    for table in ("catalog.product", "catalog.variant", "catalog.category", "catalog.picture", "catalog.brand",
                  "accounts.customer", "accounts.address", "orders.placed", "orders.line", "orders.history")
}  # fmt: skip

WAITING = Query("test.sample_waiting", "SELECT count(*) FROM jobs.pgqueuer")
ANALYZE = Query("test.analyze", "ANALYZE")
TABLES = Query("test.sample_tables", """
SELECT format('%s.%s', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'public', 'jobs')
""")  # fmt: skip


async def filled(settings, db, sample, seed):
    """Fill, and give what was filled with a digest of every table; then forget it all."""
    platform = platform_of(settings, db)
    outcome = await fill(platform, sample, seed, lambda *_: None)
    async with db.read() as tx:
        await tx.execute(ANALYZE)  # as the command does after filling
        digests = {table: await tx.value(query) for table, query in DIGESTS.items()}
        assert await broken(tx) == {}
    await platform.redis.close()
    platform.passwords.close()
    return outcome, digests


@pytest.mark.parametrize("sample", [small, performance], ids=["small", "performance"])
async def test_the_same_seed_gives_the_same_shop(settings, db, sample):
    async def once(seed: int):
        connection = await db.pool.acquire()
        db.pool.release(connection)
        point = connection.transaction()
        await point.start()
        found = await filled(settings, db, sample, seed)
        await point.rollback()
        return found

    outcome, first = await once(1)
    _, again = await once(1)
    _, other = await once(2)
    assert first == again
    assert {table for table in first if first[table] and first[table] == other[table]} == set()
    if sample is performance:
        assert outcome.rows["products"] == 5000
        assert outcome.rows["people"] == 500
        assert outcome.rows["orders"] == 1000


async def test_a_second_time_changes_nothing_and_the_logins_work(settings, db, shop):
    platform = platform_of(settings, db)
    outcome = await fill(platform, small, 1, lambda *_: None)
    assert (await fill(platform, small, 1, lambda *_: None)).already_there
    await platform.redis.close()
    platform.passwords.close()
    assert len(outcome.logins) == 4
    for email, password in outcome.logins:
        answer = await shop.post("auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200
        me = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await shop.get("me", headers=me)).json()["default_address"] is not None
    page = (await shop.get("products/sand-day-pack")).json()
    assert page["options"] == {"size": ["M", "L"]}
    picture = await shop.get(page["pictures"][0]["url"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")


async def test_an_emptied_shop_is_filled_again(settings, wide_db):
    platform = platform_of(settings, wide_db)
    for _ in range(2):
        await wide_db.empty()
        outcome = await fill(platform, large("full", 300, 20, 30), 7, lambda *_: None)
        assert (outcome.already_there, outcome.rows["products"], outcome.rows["orders"]) == (False, 300, 30)
    async with wide_db.read() as tx:
        assert await broken(tx) == {}
        assert await tx.value(WAITING) == 0
    await wide_db.empty()
    async with wide_db.read() as tx:
        names = [row["name"] for row in await tx.rows(TABLES)]
        counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in names)
        left = {row["name"] for row in await tx.rows(Query("test.sample_left", counts)) if row["rows"]}
    assert left == {"search.state", "search.synonym", "inventory.warehouse", "audit.head", "accounts.role"}
    await platform.redis.close()
    platform.passwords.close()
