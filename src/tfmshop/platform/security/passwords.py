"""Passwords: Argon2id in a small pool of threads, so that sign-ins cannot take the processor from the shop.

Cost: m = 19,456 KiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet, 2023).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tfmshop.platform.errors import Busy

T = TypeVar("T")

SHORTEST, LONGEST = 8, 128
AT_ONCE = 2
WAITING = 30


class Passwords:
    """Hashes and checks passwords; `Busy` when more than 30 callers wait."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._callers = 0
        self._nobody = self._hasher.hash("the hash that unknown people are compared with")

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._in_thread(self._hasher.hash, password)

    def hash_sample(self, password: str, seed: int) -> str:
        """The hash of a sample person's password, the same for the same `seed`. Never for a real person."""
        return self._hasher.hash(password, salt=seed.to_bytes(16, "big", signed=True))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`; with None it takes the same time and is False."""
        fits = await self._in_thread(self._verify, stored or self._nobody, password)
        return fits and stored is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[..., T], *args: str) -> T:
        if self._callers >= AT_ONCE + WAITING:
            raise Busy
        self._callers += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._callers -= 1
