"""Clients of one Redis, of the one that Sentinels name, and of a Cluster, by the scheme of their address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, RedisCluster, Sentinel
from redis.asyncio import Redis as Client
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

CONNECTIONS: Final = 16
PARTS: Final = 16
"""So many parts what is kept in a Cluster has, each with all its keys in one slot; more servers than that gain nothing.
"""
Connected = Callable[[Any], Awaitable[None]]


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server is the master, that are waited for."""


def client_of(url: str, timeout: float, connected: Connected) -> Client | RedisCluster:
    """A client that calls `connected` with each new connection, to which it says all that begins one."""
    bounds: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    scheme, _, kind = url.partition("://")[0].partition("+")
    if kind == "cluster":
        return _cluster(urlsplit(url), bounds | {"ssl": scheme == "rediss"}, connected)
    own = {"max_connections": CONNECTIONS, "timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    bounds["redis_connect_func"] = connected
    if kind == "sentinel":
        return _watched_by_sentinels(urlsplit(url), bounds | {"ssl": scheme == "rediss"}, own)
    return Client.from_pool(BlockingConnectionPool.from_url(url, **bounds, **own))


async def close(client: Client | RedisCluster) -> None:
    """Close every connection, those to Sentinels too."""
    await client.aclose()
    pool = None if isinstance(client, RedisCluster) else client.connection_pool
    if isinstance(pool, _SentinelPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _watched_by_sentinels(url: SplitResult, bounds: dict[str, Any], own: dict[str, Any]) -> Client:
    name, _, number = url.path[1:].partition("/")
    asking = {key: value for key, value in bounds.items() if key != "redis_connect_func"}
    sentinel = Sentinel(_places(url), sentinel_kwargs=asking, **bounds, **_names(url))  # type: ignore[no-untyped-call]
    client: Client = sentinel.master_for(name, connection_pool_class=_SentinelPool, db=int(number or 0), **own)
    return client


def _cluster(url: SplitResult, bounds: dict[str, Any], connected: Connected) -> RedisCluster:
    client = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _places(url)], require_full_coverage=False,
        retry=Retry(NoBackoff(), 1), **bounds, **_names(url),
    )  # fmt: skip
    client.connection_kwargs["redis_connect_func"] = connected  # of nodes that are found later
    for node in client.startup_nodes:
        node.connection_kwargs["redis_connect_func"] = connected
    return client


def _places(url: SplitResult) -> list[tuple[str, int]]:
    pairs = [place.rpartition(":") for place in url.netloc.rpartition("@")[2].split(",")]
    return [(host, int(port)) for host, _, port in pairs]


def _names(url: SplitResult) -> dict[str, Any]:
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    return {name: unquote(text) for name, text in (("username", user), ("password", password)) if text}
