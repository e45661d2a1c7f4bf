"""A process that answers requests, connected: it hears what changed, and reads on replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import structlog

from tfmshop.platform import Config, Platform, db, ids
from tfmshop.platform.cache import report
from tfmshop.platform.errors import ShopError

TELL_SECONDS: Final = 3.0
"""How often a web process writes down what its cache does."""
CONNECT_SECONDS: Final = 1.0
ASK_SECONDS: Final = 0.5
"""How long a connection to a replica may take, and the question how far the primary is."""

log = structlog.get_logger("app")


def bounds_of(config: Config, name: str) -> db.Options:
    """The database bounds that the settings ask for."""
    return db.Options(
        minimum=config.number("DB_POOL_MIN"),
        maximum=config.number("DB_POOL_MAX"),
        acquire_seconds=config.seconds("DB_ACQUIRE_TIMEOUT"),
        connect_seconds=config.seconds("DB_CONNECTION_TIMEOUT"),
        statement_seconds=config.seconds("DB_QUERY_TIMEOUT"),
        lock_seconds=config.seconds("DB_LOCK_TIMEOUT"),
        idle_transaction_seconds=config.seconds("DB_IDLE_TRANSACTION_TIMEOUT"),
        name=name,
        pooled=bool(config.text("DATABASE_POOL_URL")),
    )


@asynccontextmanager
async def replicated(platform: Platform) -> AsyncIterator[None]:
    """Read on the replicas that the settings name, while the block runs."""
    config, urls = platform.config, platform.config.words("DATABASE_REPLICA_URLS")
    if not urls:
        yield
        return
    bounds = replace(bounds_of(config, "tfmshop replica"), minimum=0, pooled=False, connect_seconds=CONNECT_SECONDS)
    asking = replace(bounds, maximum=1, acquire_seconds=2 * CONNECT_SECONDS, statement_seconds=ASK_SECONDS)
    reading = replace(bounds, acquire_seconds=db.replicas.PATIENCE)
    found = db.replicas.of(
        db.unopened(config.text("DATABASE_URL"), replace(asking, name="tfmshop log position")), urls,
        lambda url, reads: db.unopened(url, reading if reads else asking), keeps=lambda: platform.cache.sure,
    )  # fmt: skip
    platform.db.replicas = found
    try:
        await found.start()
        yield
    finally:
        platform.db.replicas = None
        await found.close()


@asynccontextmanager
async def hearing(platform: Platform) -> AsyncIterator[None]:
    """Have the cache hear of every change while the block runs; without caching it is never trusted."""
    cache = platform.cache
    if not platform.config.flag("ENABLE_CACHING"):
        yield
        return
    listener = db.Listener(
        platform.config.text("DATABASE_URL"), "stale", hear=lambda message: cache.stale(message.split(",")),
        back=cache.trust, lost=cache.doubt,
    )  # fmt: skip
    await listener.start()
    telling = asyncio.create_task(_tell(platform))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        await cache.asked.write(platform.db)
        await listener.stop()


async def _tell(platform: Platform) -> None:
    """Write down what was asked for and what the cache does, every few seconds."""
    process, cache = ids.new(), platform.cache
    while True:
        await asyncio.sleep(TELL_SECONDS)
        try:
            await cache.asked.write(platform.db)
            async with platform.db.tx() as tx:
                await report.tell(tx, process, report.of(cache, platform.redis))
        except ShopError:
            continue
        except Exception as error:
            log.error("what the cache does is not told", exc_info=error)
