"""The Redis of this process: bounded in time, left alone while it fails, and never needed for an answer to be right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Protocol, cast
from zlib import crc32

import structlog
from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from tfmshop.platform import ids
from tfmshop.platform.cache.servers import PARTS, client_of, close
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import traces

FAILURES: Final = 3
"""Failures in a row after which Redis is left alone."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds for which it is left alone; each failed try after that doubles them."""
FINDING: Final = 10
"""So many times its timeout a call may take where the server has to be found first, by Sentinel or in a Cluster."""

_IDENTITY: Final = ("run_id:", "master_replid:")

UNSEEN: Final = ""
"""A server of a Cluster that is known, and to which no connection was made yet."""
ERRORS: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""A client of a Cluster raises AttributeError, too, when it closes connections that are used since servers changed."""

log = structlog.get_logger("redis")


class Away(Exception):
    """Redis does not answer, or is left alone because it did not."""


class Script(Protocol):
    """A script that Redis keeps: called with keys and arguments."""

    def __call__(self, keys: list[str], args: list[Any]) -> Awaitable[Any]: ...


class Redis:
    """A client whose every call gives up after `timeout_seconds`, behind a breaker."""

    def __init__(self, url: str, timeout_seconds: float, shop: str = "") -> None:
        """`shop` keeps the keys of shops apart that share a Redis."""
        self._client = client_of(url, timeout_seconds, self._connected)
        self.is_cluster = isinstance(self._client, RedisCluster)
        name = f"tfmshop:{shop}" if shop else "tfmshop"
        self.tags = [f"{{{name}:{part}}}" for part in range(PARTS)] if self.is_cluster else [f"{{{name}}}"]
        """What the keys of each part begin with: those of one part are always on one server."""
        self._errors = (*ERRORS, AttributeError) if self.is_cluster else ERRORS
        self._timeout = timeout_seconds
        self._patience = timeout_seconds * FINDING if "+" in url.partition("://")[0] else None
        self._servers: dict[str, str] = {}
        self._found = not isinstance(self._client, RedisCluster)
        self.breaks = 0
        """How often another Redis was found behind a connection, or one that began anew."""
        self._failed = 0
        self._pause = 0.0
        self._again_at = self._noted_at = 0.0
        self.failures = 0

    @property
    def usable(self) -> bool:
        """Whether a call would be tried now."""
        return self._failed < FAILURES or monotonic() >= self._again_at

    def tag(self, key: str) -> str:
        """What the Redis key of `key` begins with."""
        return self.tags[crc32(key.encode()) % len(self.tags)]

    def script(self, source: str) -> Script:
        """A script for `run`; all its keys begin with one tag."""
        return cast("Script", self._client.register_script(source))

    async def run(self, script: Script, keys: list[str], args: list[Any]) -> Any:
        """What a script returns. `Away`."""
        return await self.guarded(lambda: script(keys=keys, args=args))

    async def guarded(self, call: Any) -> Any:
        """What a call returns; while Redis is left alone, one caller at a time finds out whether it is back. `Away`.

        A call that took far longer than its time says that this process was busy, not that Redis is away; and calls
        that were under way together failed once, not each for itself.
        """
        if not self.usable:
            raise Away
        started = monotonic()
        if self._failed >= FAILURES:
            self._again_at = started + self._pause
        try:
            async with asyncio.timeout(self._patience):
                if self.is_cluster:
                    await self._find_servers()
                answer = await call()
        except self._errors as error:
            if self._noted_at <= started > monotonic() - 2 * (self._patience or self._timeout):
                self._note(error)
            raise Away from error
        if traces.on:
            traces.call("redis", monotonic() - started, "ok")
        if self._failed >= FAILURES:
            log.info("redis is back")
        self._failed, self._pause = 0, 0.0
        return answer

    def _note(self, error: Exception) -> None:
        self.failures += 1
        self._failed += 1
        self._noted_at = monotonic()
        if self._failed >= FAILURES:
            if self._failed == FAILURES:
                known = isinstance(error, MasterNotFoundError)  # its text is the client's inside
                reason = "no Sentinel knows the master" if known else str(error)[:200]
                log.warning("redis does not answer: the shop does without it", reason=reason)
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
            self._again_at = monotonic() + self._pause

    async def version(self) -> str:
        """The version of the Redis that is there, asked past the breaker. `ConnectionError` with the reason."""
        try:
            async with asyncio.timeout(self._patience):
                told = await self._client.info("server")
        except MasterNotFoundError:
            raise ConnectionError("no Sentinel answers, or none knows the name of the master") from None
        except self._errors as error:
            raise ConnectionError(str(error) or "no answer in time") from error
        return str(told.get("valkey_version") or told.get("redis_version", ""))

    async def _connected(self, connection: Any) -> None:
        """Count when it is another server than before, or one that began anew: it may know less of what is stale."""
        await connection.on_connect()
        try:
            await connection.send_command("INFO")
            told = await connection.read_response()
            lines = told.decode(errors="replace").split()
            server = " ".join(line for line in lines if line.startswith(_IDENTITY)) or ids.token()
        except ResponseError:
            server = ids.token()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        place = f"{connection.host}:{connection.port}" if self.is_cluster else ""
        known = self._servers.get(place)
        self.breaks += known not in (UNSEEN, server) and bool(self._servers) and self._found
        self._servers[place] = server

    async def _find_servers(self) -> None:
        """Have the client know a Cluster: it does not expect several callers at its start. Who is a master then was
        not another before.
        """
        client = cast("RedisCluster", self._client)
        await client.initialize()
        if not self._found:
            for node in client.get_primaries():
                self._servers.setdefault(node.name, UNSEEN)
            self._found = True

    async def close(self) -> None:
        """Close the connections."""
        await close(self._client)
