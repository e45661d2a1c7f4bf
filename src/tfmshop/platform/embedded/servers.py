"""The servers of an installation: those that the settings name, or embedded ones for the time of a block."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from tfmshop.config import Config
from tfmshop.platform.embedded.owner import prepare_home
from tfmshop.platform.embedded.postgres import Postgres
from tfmshop.platform.embedded.redis import Redis

DATABASE = "tfmshop"


@contextmanager
def running(config: Config) -> Iterator[Config]:
    """The settings with both URLs filled in. `CannotStart` when an embedded server does not start."""
    if not config.text("JWT_SECRET"):
        prepare_home(config.home)
    postgres = None if config.text("DATABASE_URL") else Postgres(config.home)
    redis = None if config.text("REDIS_URL") else Redis(config.home)
    try:
        if postgres is not None:
            url = postgres.start()
            asyncio.run(_ensure_database(url))
            config = config.replace(DATABASE_URL=url.replace("/postgres?", f"/{DATABASE}?", 1))
        if redis is not None:
            config = config.replace(REDIS_URL=redis.start())
        yield config
    finally:
        if redis is not None:
            redis.stop()
        if postgres is not None:
            postgres.stop()


async def _ensure_database(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await connection.close()
