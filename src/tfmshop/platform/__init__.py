"""What the shop stands on. Knows nothing about shops."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfmshop.config import Config
from tfmshop.platform.cache import Cache, Memory, Redis
from tfmshop.platform.db import Database
from tfmshop.platform.files import Files
from tfmshop.platform.limits import Rates
from tfmshop.platform.meaning import Model
from tfmshop.platform.security.access import AccessTokens
from tfmshop.platform.security.passwords import Passwords
from tfmshop.platform.security.seals import Seals


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a request, a command or a job may use, opened once by the composition root."""

    config: Config
    db: Database
    redis: Redis
    files: Files
    tokens: AccessTokens
    passwords: Passwords
    seals: Seals
    model: Model | None = None
    """What products and queries mean; none where it is switched off."""
    cache: Cache = field(default_factory=lambda: Cache(Memory(0)))
    """Hands out nothing unless somebody tells it what is stale."""
    rates: Rates | None = None
    """How often clients may ask; None is as often as they like."""

    async def close(self) -> None:
        """Close every connection."""
        await self.cache.close()
        if self.rates is not None:
            await self.rates.close()
        await self.db.close()
        await self.redis.close()
        self.passwords.close()


__all__ = ["Config", "Platform"]
