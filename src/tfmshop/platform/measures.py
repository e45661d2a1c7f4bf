"""What the parts of a platform say of themselves, as metrics: brought up to date each second."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tfmshop.platform.observe import metrics
from tfmshop.platform.observe.metrics import Counter, Gauge, Over, SpentTime

if TYPE_CHECKING:
    from tfmshop.platform import Platform
    from tfmshop.platform.limits import Admission

CONNECTIONS = Gauge("db_client_connections", "Connections to PostgreSQL, used or idle.", "state")
MOST = Gauge("db_client_connection_max", "Connections to PostgreSQL that all processes may open.")
WAITING = Gauge("db_client_connection_pending_requests", "Who waits for a connection to PostgreSQL now.")
TIMED_OUT = Counter("db_client_connection_timeouts_total", "Who waited for a connection in vain.")
OPENED = Counter("tfmshop_connections_opened_total", "Connections to PostgreSQL that were opened.")
ACQUIRED = Counter("tfmshop_connections_acquired_total", "How often a connection was wanted.")
WAITED = Counter("tfmshop_connection_waits_total", "How often a connection was waited for.")
WAIT = SpentTime("tfmshop_connection_wait_seconds_total", "Time that was waited for connections, in seconds.")
FULL = Gauge("tfmshop_pool_used_ratio", "Part of the connections that are in use, 0 to 1, in the fullest process.",
             over=Over.MOST)  # fmt: skip
REDIS_ERRORS = Counter("tfmshop_redis_errors_total", "Calls of Redis that failed or took too long.")
LOOKUPS = Counter("tfmshop_cache_lookups_total", "Who asked the cache, by how it came out: hit, shared or miss.",
                  "kind", "outcome")  # fmt: skip
MADE = Counter("tfmshop_cache_made_total", "Values that were made for the cache.", "kind")
MAKING = SpentTime(
    "tfmshop_cache_making_seconds_total", "Time spent on making values for the cache, in seconds.", "kind"
)
ENTRIES = Gauge("tfmshop_cache_entries", "Values in the memory of all processes.")
BYTES = Gauge("tfmshop_cache_bytes", "Size of the values in the memory of all processes.")
EVICTED = Counter("tfmshop_cache_evictions_total", "Values that were dropped for others.")
HEARS = Gauge(
    "tfmshop_cache_hears", "1 where every process hears of changes, and so may use its cache.", over=Over.LEAST
)
PLACES = Gauge("tfmshop_admission_places", "Requests that all processes work on at once at most.")
TAKEN = Gauge("tfmshop_admission_taken", "Requests that all processes work on now.")
TURNED_AWAY = Counter("tfmshop_admission_refused_total", "Requests refused because there was too much to do.")


def of(platform: Platform) -> Callable[[], None]:
    """Measure a platform from now on, until what this gives back is called."""

    def sample() -> None:
        _database(platform)
        REDIS_ERRORS.of().set(platform.redis.failures)
        if platform.cache.tallies or platform.cache.sure:
            _cache(platform)

    return metrics.sampled(sample)


def of_admission(admission: Admission) -> Callable[[], None]:
    """Measure who is let in, until what this gives back is called."""

    def sample() -> None:
        PLACES.of().set(admission.places)
        TAKEN.of().set(admission.taken)
        TURNED_AWAY.of().set(admission.turned_away)

    return metrics.sampled(sample)


def _database(platform: Platform) -> None:
    pool = platform.db.pool
    used = pool.in_use
    CONNECTIONS.of("used").set(used)
    CONNECTIONS.of("idle").set(pool.size - used)
    MOST.of().set(pool.maximum)
    FULL.of().set(used / pool.maximum)
    WAITING.of().set(pool.waiting)
    told = pool.statistics
    TIMED_OUT.of().set(told.timed_out)
    OPENED.of().set(told.opened)
    ACQUIRED.of().set(told.acquired)
    WAITED.of().set(told.waited)
    WAIT.of().set(told.waited_seconds)


def _cache(platform: Platform) -> None:
    cache = platform.cache
    for kind, tally in cache.tallies.items():
        LOOKUPS.of(kind, "hit").set(tally.hits)
        LOOKUPS.of(kind, "shared").set(tally.shared)
        LOOKUPS.of(kind, "miss").set(tally.misses - tally.shared)
        MADE.of(kind).set(tally.rebuilds)
        MAKING.of(kind).set(tally.seconds)
    ENTRIES.of().set(len(cache.memory))
    BYTES.of().set(cache.memory.bytes)
    EVICTED.of().set(cache.memory.evicted)
    HEARS.of().set(cache.sure)
