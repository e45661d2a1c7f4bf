"""Is the shop alive, and can it work? In full for those who look after it."""

from __future__ import annotations

import asyncio
import platform as machine
from collections.abc import Mapping
from hmac import compare_digest
from ipaddress import ip_network
from typing import Any, Final

import msgspec
from litestar import Response, get

from tfmshop import __version__
from tfmshop.platform import clock, jobs, measures
from tfmshop.platform.checks import Seen
from tfmshop.platform.db import migrate
from tfmshop.platform.observe import metrics, process, readings
from tfmshop.platform.observe.alerts import Firing, state
from tfmshop.platform.observe.metrics import Metric
from tfmshop.surface.http.context import AnyRequest, Shop, address_of, shop_of
from tfmshop.surface.http.edge.sender import is_in
from tfmshop.surface.http.tiers import FREE, limited

OPERATIONS: Final = "operations"
"""The permission of staff who look after the shop."""
PASSED_ON: Final = ("x-forwarded-for", "forwarded", "via", "x-real-ip")
"""What proxies add."""


class Disk(msgspec.Struct, frozen=True):
    """Room on the disk of TFMSHOP_HOME."""

    free_bytes: int
    size_bytes: int


class Memory(msgspec.Struct, frozen=True):
    """Memory of the machine or container."""

    used_bytes: int
    limit_bytes: int


class Jobs(msgspec.Struct, frozen=True):
    """Jobs that wait, by how many seconds the oldest is late, and those that are held after days of failing."""

    waiting: int
    late_seconds: float
    held: int


class CacheState(msgspec.Struct, frozen=True):
    """What the caches of all processes have, and the part of those asked for that was there."""

    entries: int
    bytes: int
    hit_rate: float


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state in one word: `ok`, `degraded` (Redis or a replica is away) or `down` (PostgreSQL is away). The rest is
    for those who look after the shop.
    """

    status: str
    version: str = ""
    python: str = ""
    uptime_seconds: int = 0
    schema: str = ""
    schema_wanted: str = ""
    dependencies: dict[str, Seen] | None = None
    cache: CacheState | None = None
    jobs: Jobs | None = None
    disk: Disk | None = None
    memory: Memory | None = None
    alerts: list[Firing] | None = None


def in_a_word(seen: Mapping[str, Seen]) -> str:
    """The state of a shop in one word."""
    if seen["postgresql"].status != "ok":
        return "down"
    return "ok" if all(one.status == "ok" for one in seen.values()) else "degraded"


def may_look(request: AnyRequest) -> bool:
    """Whether a probe asks: with METRICS_TOKEN, or from PROBE_NETWORKS and not by way of a proxy nobody told us of."""
    config = shop_of(request).platform.config
    token, given = config.text("METRICS_TOKEN"), request.headers.get("authorization", "")
    if token and compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    if any(name in request.headers for name in PASSED_ON) and config.text("TRUSTED_PROXIES") in ("", "none"):
        return False
    return is_in(address_of(request), tuple(ip_network(one) for one in config.words("PROBE_NETWORKS") if one != "none"))


async def look(shop: Shop) -> Health:
    """Everything that is known of the shop's health."""
    seen = await shop.checks.look()
    metrics.sample()
    reading = await asyncio.to_thread(readings.read)
    asked, missed = reading.sum(measures.LOOKUPS.name), reading.sum(measures.LOOKUPS.name, outcome="miss")

    def whole(metric: Metric) -> int:
        return int(reading.sum(metric.name))

    return Health(
        in_a_word(seen), __version__, machine.python_version(),
        round(clock.now().timestamp() - process.STARTED.of().value), shop.checks.schema, migrate.newest(), seen,
        CacheState(whole(measures.ENTRIES), whole(measures.BYTES), round(1 - missed / asked, 4) if asked else 0.0),
        Jobs(whole(jobs.WAITING_NOW), reading.sum(jobs.LATE.name), whole(jobs.HELD)),
        Disk(whole(process.DISK_FREE), whole(process.DISK_SIZE)),
        Memory(whole(process.USED), whole(process.LIMIT)),
        state.now(shop.platform.config.home / process.METRICS),
    )  # fmt: skip


def _answer(health: Health, *, ready: bool) -> Response[Health]:
    headers: dict[str, Any] = {} if ready else {"retry-after": "1"}
    return Response(health, status_code=200 if ready else 503, headers=headers)


@get("/health", summary="State of the shop and what it needs", tags=["operations"], opt=limited(FREE))
async def health(request: AnyRequest) -> Response[Health]:
    """200 when the shop can work (also without Redis: `degraded`), 503 when it cannot. Everything but the one word is
    for probes: from PROBE_NETWORKS, or with METRICS_TOKEN as a bearer token.
    """
    shop = shop_of(request)
    found = await look(shop) if may_look(request) else Health(in_a_word(await shop.checks.look()))
    return _answer(found, ready=found.status != "down")


@get("/health/ready", summary="Can requests be sent here?", tags=["operations"], opt=limited(FREE))
async def ready(request: AnyRequest) -> Response[Health]:
    """200 when PostgreSQL answers, 503 otherwise, and while this process is about to end."""
    checks = shop_of(request).checks
    found = in_a_word(await checks.look())
    return _answer(Health(found), ready=found != "down" and not checks.leaves)


@get("/health/startup", summary="Has the process started?", tags=["operations"], opt=limited(FREE))
async def startup(request: AnyRequest) -> Response[Health]:
    """200 once the process can work and the schema is at least that of this release, 503 before."""
    checks = shop_of(request).checks
    can_work = await checks.can_work()
    return _answer(Health(in_a_word(checks.seen)), ready=can_work)


@get("/health/live", summary="Is the process alive?", tags=["operations"], sync_to_thread=False, opt=limited(FREE))
def live() -> dict[str, str]:
    """200 as long as the process answers at all; asks nothing of others."""
    return {"status": "alive"}


ROUTES = [health, ready, startup, live]
