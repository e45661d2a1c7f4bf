"""The servers of an installation: those that the settings name, or embedded ones for the time of a block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from tfmshop.config import Config
from tfmshop.platform.embedded.owner import CannotStart, prepare_home
from tfmshop.platform.embedded.postgres import Postgres
from tfmshop.platform.embedded.redis import Redis

log = structlog.get_logger("embedded")

DATABASE = "tfmshop"


@contextmanager
def running(config: Config) -> Iterator[Config]:
    """The settings with both URLs filled in. `CannotStart` when an embedded server does not start."""
    if not config.text("JWT_SECRET") or not config.text("SEAL_SECRET"):
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
        with _watched([server for server in (postgres, redis) if server is not None]):
            yield config
    finally:
        try:
            if redis is not None:
                redis.stop()
        finally:
            if postgres is not None:
                postgres.stop()


@contextmanager
def _watched(servers: list[Postgres | Redis]) -> Iterator[None]:
    """Start embedded servers that die again, and say so. Without any, no thread runs: processes may be forked."""
    if not servers:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            for server in servers:
                try:
                    if server.revive():
                        log.warning("an embedded server had died and was started again", server=type(server).__name__)
                except (CannotStart, OSError) as error:
                    log.warning("an embedded server died", server=type(server).__name__, error=str(error))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def _ensure_database(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    except asyncpg.DuplicateDatabaseError:
        pass
    finally:
        await connection.close()
