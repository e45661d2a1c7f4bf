"""The servers of a test run: started by the run itself, thrown away at its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil

from tfmshop.platform.db import migrate
from tfmshop.platform.embedded import Postgres, Redis

POSTGRES, REDIS, HOME = "TEST_POSTGRES", "TEST_REDIS", "TEST_HOME"
SHM, ROOM = Path("/dev/shm"), 6 << 30
"""Memory as files, and how much of it must be free: hundreds of databases are made and thrown away in a run."""
TEMPLATE = "template_shop"


class Servers:
    """PostgreSQL (without fsync: the data is not worth it) with a migrated template, and Redis."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="tfmshop-test-"))
        self.home.chmod(0o755)
        quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
        self.postgres = Postgres(self.home, quick)
        self.redis = Redis(self.home)

    def start(self) -> None:
        """Start both, migrate the template, and leave the addresses in the environment for the test processes."""
        url = self.postgres.start()
        os.environ[POSTGRES] = url
        os.environ[REDIS] = self.redis.start()
        os.environ[HOME] = str(self.home)
        asyncio.run(create_database(TEMPLATE, template="template0"))
        asyncio.run(migrate.upgrade(url_of(TEMPLATE)))
        asyncio.run(hire(url_of(TEMPLATE)))

    def stop(self) -> None:
        """Stop both and remove their data."""
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def work_in_memory() -> None:
    """Have this process and its children make temporary files in memory where there is room, and TMPDIR is not set."""
    if "TMPDIR" not in os.environ and SHM.is_dir() and os.access(SHM, os.W_OK):
        there = os.statvfs(SHM)
        room = min(there.f_bavail * there.f_frsize, psutil.virtual_memory().available)
        if room >= ROOM and not there.f_flag & os.ST_NOEXEC:
            os.environ["TMPDIR"] = tempfile.tempdir = str(SHM)


STAFF = {role: (UUID(int=at), UUID(int=100 + at))
         for at, role in enumerate(("admin", "support", "catalog_manager", "customer"), 1)}  # fmt: skip
"""A person of each role, and a session of theirs, that every database of the tests has."""


async def hire(url: str) -> None:
    """Add the staff of the tests to a database."""
    connection = await asyncpg.connect(url)
    for role, (person, session) in STAFF.items():
        await connection.execute(
            "INSERT INTO accounts.customer (id, email, name, password_hash, role, created_at, verified_at)"
            " VALUES ($1, $2, $3, '', $4, '2020-01-01', '2020-01-01')",
            person, f"{role}@staff.example", role, role,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO accounts.session (id, customer_id, salt, created_at, renewed_at, expires_at, user_agent,"
            " address, strong) VALUES ($1, $2, 'salt', '2020-01-01', '2020-01-01', '2100-01-01', '', '', true)",
            session, person,
        )  # fmt: skip
    await connection.close()


def url_of(database: str) -> str:
    """The URL of a database on the test server."""
    return os.environ[POSTGRES].replace("/postgres?", f"/{database}?", 1)


async def create_database(name: str, template: str = TEMPLATE) -> str:
    """A fresh copy of the template; its URL."""
    connection = await asyncpg.connect(os.environ[POSTGRES])
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template} STRATEGY file_copy')
    finally:
        await connection.close()
    return url_of(name)


async def drop_database(name: str) -> None:
    """Remove a database, whoever is still connected."""
    connection = await asyncpg.connect(os.environ[POSTGRES])
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()
