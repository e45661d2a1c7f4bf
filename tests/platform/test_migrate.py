"""Migrations: one at a time, bounded waits, clear refusals."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from alembic import command

from tests.servers import create_database, drop_database
from tfmshop.platform.db import migrate

BEFORE = f"{int(migrate.newest()) - 1:04}"


@pytest.fixture
async def empty_url():
    """A database without any schema."""
    name = f"empty_{uuid4().hex[:12]}"
    yield await create_database(name, template="template0")
    await drop_database(name)


async def test_two_processes_migrate_once(empty_url):
    assert await migrate.applied(empty_url) is None
    first, second = await asyncio.gather(migrate.upgrade(empty_url), migrate.upgrade(empty_url))
    assert sorted([len(first), len(second)]) == [0, int(migrate.newest())]
    assert await migrate.applied(empty_url) == migrate.newest()


async def test_a_newer_database_is_refused(fresh_url):
    connection = await asyncpg.connect(fresh_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(migrate.CannotMigrate, match="newer than this release"):
        await migrate.upgrade(fresh_url)


async def test_a_held_lock_ends_the_migration_and_undoes_it(empty_url, monkeypatch):
    with monkeypatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda alembic, _: upgrade(alembic, BEFORE))
        await migrate.upgrade(empty_url)
    connection = await asyncpg.connect(empty_url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE alembic_version IN SHARE MODE")
        with pytest.raises(migrate.CannotMigrate, match="lock timeout"):
            await migrate.upgrade(empty_url, lock_timeout_seconds=0.2)
    assert await migrate.applied(empty_url) == BEFORE
    assert len(await migrate.upgrade(empty_url)) == 1
    await connection.close()
