"""A shop whose database user owns its database, and nothing else of the server: as production has it."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.processes import tfmshop
from tests.servers import POSTGRES, REDIS, create_database, drop_database


@pytest.fixture
async def owned_url():
    """An empty database that belongs to a user who may do nothing besides."""
    name = f"owned_{uuid4().hex[:12]}"
    url = await create_database(name, template="template0")
    connection = await asyncpg.connect(os.environ[POSTGRES])
    await connection.execute(f'CREATE ROLE {name} LOGIN; ALTER DATABASE "{name}" OWNER TO {name}')
    place = urlsplit(url)
    yield place._replace(netloc=f"{name}@").geturl()
    await drop_database(name)
    await connection.execute(f"DROP ROLE {name}")
    await connection.close()


async def test_a_user_who_only_owns_the_database_has_a_whole_shop(owned_url, tmp_path):
    settings = {"DATABASE_URL": owned_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path / "home")}
    for words in ("db migrate", "seed", "db backup", "db drill", "db queries", "optimize database", "search reindex"):
        told = tfmshop(*words.split(), cwd=tmp_path, **settings)
        assert told.returncode == 0, (words, told.stdout, told.stderr)
    looked = json.loads(tfmshop("doctor", "--json", cwd=tmp_path, **settings).stdout)
    assert {truth: found for truth, found in looked["truths"].items() if found} == {}
    assert len(looked["truths"]) > 20
