"""The Redis connection of this process: bounded in time, and never needed for an answer to be right."""

from __future__ import annotations

from redis.asyncio import Redis as Client
from redis.exceptions import RedisError


class Redis:
    """A client whose every call gives up after `timeout_seconds`."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._client = Client.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, max_connections=16
        )

    async def answers(self) -> bool:
        """Whether Redis is there."""
        try:
            return bool(await self._client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
