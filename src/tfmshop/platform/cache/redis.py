"""The Redis of this process: bounded in time, left alone while it fails, and never needed for an answer to be right."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Protocol, cast

import structlog
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from tfmshop.platform import ids
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import traces

FAILURES: Final = 3
"""Failures in a row after which Redis is left alone."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds for which it is left alone; each failed try after that doubles them."""

_IDENTITY: Final = ("run_id:", "master_replid:")

log = structlog.get_logger("redis")


class Away(Exception):
    """Redis does not answer, or is left alone because it did not."""


class Script(Protocol):
    """A script that Redis keeps: called with keys and arguments."""

    def __call__(self, keys: list[str], args: list[Any]) -> Awaitable[Any]: ...


class _Pool(BlockingConnectionPool):
    """Connections that are waited for, and that find out which server is behind them."""

    breaks = 0
    server: str | None = None

    def make_connection(self) -> Any:
        connection = super().make_connection()  # type: ignore[no-untyped-call]
        connection.register_connect_callback(self._connected)
        return connection

    async def _connected(self, connection: Any) -> None:
        """Count when it is another server than before, or one that began anew: it may know less of what is stale."""
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
        self.breaks += self.server is not None and server != self.server
        self.server = server


class Redis:
    """A client whose every call gives up after `timeout_seconds`, behind a breaker."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        pool = _Pool.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, max_connections=16,
            timeout=timeout_seconds, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        self._pool = pool
        self._client = Client.from_pool(pool)
        self._timeout = timeout_seconds
        self._failed = 0
        self._pause = 0.0
        self._again_at = self._noted_at = 0.0
        self.failures = 0

    @property
    def breaks(self) -> int:
        """How often another Redis was found behind a connection, or one that began anew."""
        found: int = self._pool.breaks
        return found

    @property
    def usable(self) -> bool:
        """Whether a call would be tried now."""
        return self._failed < FAILURES or monotonic() >= self._again_at

    def script(self, source: str) -> Script:
        """A script for `run`."""
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
            answer = await call()
        except (RedisError, OSError, TimeoutError) as error:
            if self._noted_at <= started > monotonic() - 2 * self._timeout:
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
                log.warning("redis does not answer: the shop does without it", reason=str(error)[:200])
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
            self._again_at = monotonic() + self._pause

    async def version(self) -> str:
        """The version of the Redis that is there, asked past the breaker. `ConnectionError` with the reason."""
        try:
            told = await self._client.info("server")
        except (RedisError, OSError) as error:
            raise ConnectionError(str(error)) from error
        return str(told.get("valkey_version") or told.get("redis_version", ""))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
