"""Boxes about what stands beside the primary: replicas, and a pooler in front of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from tfmshop.platform.db import Options, Query, replicas, unopened
from tfmshop.platform.errors import ShopError
from tfmshop.surface.connected import bounds_of
from tfmshop.surface.readiness.box import BEFORE, Place, Result, box, judged

BOUNDS: Final = Query(
    "readiness.bounds", "SELECT lower(name) AS name, setting FROM pg_settings WHERE lower(name) = ANY($1::text[])"
)
WHICH: Final = (
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval",
    "timezone", "jit", "enable_seqscan",
)  # fmt: skip
ONE: Final = Options(minimum=0, maximum=1, connect_seconds=2.0, acquire_seconds=3.0, name="tfmshop readiness")


@box("replicas", BEFORE)
async def all_replicas(place: Place) -> Result:
    """Every replica copies our primary, and has what it has."""
    urls = place.config.words("DATABASE_REPLICA_URLS")
    if not urls:
        return Result("pass", "none are used")
    primary = unopened(place.platform.config.text("DATABASE_URL"), ONE)
    found = replicas.of(primary, urls, lambda url, _: unopened(url, ONE), keeps=lambda: True)
    try:
        await found.look()
        await asyncio.sleep(replicas.BEAT / 2)
        await found.look()  # what it had to get when it was looked at first
        wrong = [f"{one.name}: {one.wrong}: See its log, and DATABASE_REPLICA_URLS." for one in found.all if one.wrong]
    finally:
        await found.close()
    return judged([], wrong, f"{len(urls)} have all that the primary has")


@box("pooler", BEFORE)
async def pooler(place: Place) -> Result:
    """What goes through PgBouncer is bounded as the settings say."""
    url = place.config.text("DATABASE_POOL_URL")
    if not url:
        return Result("pass", "none is used")
    wanted = {name: text for name, text in bounds_of(place.config, "").session().items() if name in WHICH}
    db = unopened(url, replace(ONE, pooled=True))
    try:
        async with db.read() as tx:
            has = {row["name"]: row["setting"] for row in await tx.rows(BOUNDS, list(wanted))}
    except ShopError as error:
        why = error.__cause__ or error
        return Result("fail", f"DATABASE_POOL_URL: {why}", "Is PgBouncer running, and does it know the database?")
    finally:
        await db.close()
    differ = {name: text for name, text in wanted.items() if has[name] != text}
    if not differ:
        return Result("pass", "it bounds statements as the settings say")
    told = "; ".join(f"SET {name} = {text}" for name, text in differ.items())
    return Result("fail", f"it does not say {told}", "Put that into connect_query of pgbouncer.ini.")
