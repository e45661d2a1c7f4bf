"""Migrations tried on a copy: which tables they close, to whom, for how long."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import asyncpg
import pytest

from tests.processes import tfmshop
from tfmshop.platform.db import migrate
from tfmshop.platform.db.rehearsal import rehearse

FILES = {
    "9001_column": "ALTER TABLE orders.placed ADD COLUMN tried text; SELECT pg_sleep(0.3);",
    "9002_index": "CREATE INDEX tried_index ON orders.line (sku); SELECT pg_sleep(0.2);",
    "9003_alone": "CREATE TABLE orders.tried (id uuid); SELECT pg_sleep(0.1);",
}


@pytest.fixture
def migrations(tmp_path, monkeypatch):
    """The migrations of this release, and three more."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate._FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = migrate.newest()
    text = (folder / "versions" / "0037_done.py").read_text()
    for name, statements in FILES.items():
        (folder / "versions" / f"{name}.sql").write_text(statements)
        changed = text.replace("0037_done", name).replace('revision = "0037"', f'revision = "{name[:4]}"', 1)
        (folder / "versions" / f"{name}.py").write_text(changed.replace('"0036"', f'"{before}"'))
        before = name[:4]
    monkeypatch.setattr(migrate, "_FOLDER", folder)


async def test_each_revision_tells_what_it_closes(fresh_url, migrations):
    column, index, alone = await rehearse(fresh_url)
    assert [step.revision for step in (column, index, alone)] == list(FILES)
    assert [(lock.table, lock.stops) for lock in column.locks] == [("orders.placed", "reads and writes")]
    assert [(lock.table, lock.stops) for lock in index.locks] == [("orders.line", "writes")]
    assert 0.25 < column.locks[0].seconds < 5
    assert 0.15 < index.locks[0].seconds < 5
    assert alone.locks == []
    assert await migrate.applied(fresh_url) == "9003"


async def test_what_ends_badly_is_told(fresh_url, migrations):
    (migrate._FOLDER / "versions" / "9002_index.sql").write_text("CREATE INDEX tried_index ON orders.line (nothing);")
    with pytest.raises(migrate.CannotMigrate, match="after 9001_column"):
        await rehearse(fresh_url)


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stay(fresh_url, migrations):
    bad = migrate._FOLDER / "versions" / "9002_index.sql"
    good = bad.read_text()
    bad.write_text("CREATE TABLE orders.half (id uuid); SELECT 1 / 0;")
    with pytest.raises(migrate.CannotMigrate, match=r"after 9001_column: .*division by zero.*was undone"):
        await migrate.upgrade(fresh_url)
    connection = await asyncpg.connect(fresh_url)
    assert await migrate.applied(fresh_url) == "9001"
    assert await connection.fetchval("SELECT to_regclass('orders.half')") is None
    released = json.loads((Path(__file__).parents[1] / "shape" / "released.json").read_text())
    await connection.prepare(released["statements"]["orders.place"])
    await connection.close()
    bad.write_text(good)
    assert await migrate.upgrade(fresh_url) == ["9002_index", "9003_alone"]


def test_without_new_revisions_there_is_nothing_to_plan(fresh_url, tmp_path):
    told = tfmshop("db", "plan", cwd=tmp_path, DATABASE_URL=fresh_url, TFMSHOP_HOME=str(tmp_path / "home"))
    assert (told.returncode, "nothing to plan" in told.stdout) == (0, True)
