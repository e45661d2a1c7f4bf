"""Clients of one Redis, of the one that Sentinels name, and of a Cluster, by the scheme of their address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, RedisCluster, Sentinel
from redis.asyncio import Redis as Client
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tfmshop.config.setting import Servers

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
    several = Servers.of(url) if "+" in url.partition("://")[0] else None
    if several is not None:
        bounds |= {name: text for name, text in (("username", several.user), ("password", several.password)) if text}
        bounds["ssl"] = several.tls
    if several is not None and several.kind == "cluster":
        return _cluster(several, bounds, connected)
    own = {"max_connections": CONNECTIONS, "timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    bounds["redis_connect_func"] = connected
    if several is not None:
        return _watched_by_sentinels(several, bounds, own)
    return Client.from_pool(BlockingConnectionPool.from_url(url, **bounds, **own))


async def close(client: Client | RedisCluster) -> None:
    """Close every connection as far as servers that hang allow, those to Sentinels too, and those of a Cluster that is
    about to be looked at anew.
    """
    closing: list[Callable[[], Awaitable[None]]] = [client.aclose]
    if isinstance(client, RedisCluster):
        closing += [partial(client.nodes_manager.aclose, nodes) for nodes in ("nodes_cache", "startup_nodes")]
    elif isinstance(client.connection_pool, _SentinelPool):
        closing += [sentinel.aclose for sentinel in client.connection_pool.sentinel_manager.sentinels]
    for one in closing:
        with suppress(RedisError, OSError):
            await one()


def _watched_by_sentinels(servers: Servers, bounds: dict[str, Any], own: dict[str, Any]) -> Client:
    of_master = {"redis_connect_func", "username", "password"}
    asking = {key: value for key, value in bounds.items() if key not in of_master} | {"retry": own["retry"]}
    sentinel = Sentinel(servers.places, sentinel_kwargs=asking, **bounds)  # type: ignore[no-untyped-call]
    client: Client = sentinel.master_for(servers.name, connection_pool_class=_SentinelPool, db=servers.number, **own)
    return client


def _cluster(servers: Servers, bounds: dict[str, Any], connected: Connected) -> RedisCluster:
    client = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in servers.places], require_full_coverage=False,
        retry=Retry(NoBackoff(), 1), **bounds,
    )  # fmt: skip
    client.connection_kwargs["redis_connect_func"] = connected  # of nodes that are found later
    for node in client.startup_nodes:
        node.connection_kwargs["redis_connect_func"] = connected
    return client
