"""Passwords: Argon2id in a small pool of threads, so that sign-ins cannot take the processor from the shop.

Cost: m = 19,456 KiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet, 2023).
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tfmshop.platform.clock import monotonic
from tfmshop.platform.errors import Busy, Kind, ShopError

T = TypeVar("T")

SHORTEST, LONGEST = 8, 128
NO_PASSWORD: Final = "none"  # noqa: S105 - what stands for none
"""What is kept for a person without a password, who signs in with an account elsewhere: nothing fits it."""
AT_ONCE = 2
WAITING = 30
REMEMBERED: Final = 64
"""Checks whose length is remembered."""


HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class PasswordTooCommon(
    ShopError, kind=Kind.CONFLICT, code="password_too_common", says="Others guess this password first: {why}."
):
    """It is known from breaches, or made of words that everybody knows of its owner."""

    why: str


@cache
def _hash_of_nobody() -> str:
    return HASHER.hash("the hash that unknown people are compared with")


class Passwords:
    """Hashes and checks passwords of a shop, whose name is in none of them; `Busy` when more than 30 callers wait."""

    def __init__(self, shop: str = "") -> None:
        self._everybody_knows = ("tfmshop", shop, "".join(shop.split()), *re.split(r"[\W_]+", shop))
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._callers = 0
        self._lengths: deque[float] = deque(maxlen=REMEMBERED)
        self._nobody = _hash_of_nobody()

    async def hash(self, password: str, known: Iterable[str] = ()) -> str:
        """The hash to store of a new password. `PasswordTooCommon`, also when it is little more than a `known` word."""
        why = await self._in_thread(weakness, password, (*known, *self._everybody_knows))
        if why:
            raise PasswordTooCommon(why)
        return await self._in_thread(HASHER.hash, password)

    async def again(self, stored: str, password: str) -> str | None:
        """The hash of a password that fits `stored`, when that was made with less effort than is due now."""
        return await self._in_thread(HASHER.hash, password) if HASHER.check_needs_rehash(stored) else None

    def hash_sample(self, password: str, seed: int) -> str:
        """The hash of a sample person's password, the same for the same `seed`. Never for a real person."""
        return HASHER.hash(password, salt=seed.to_bytes(16, "big", signed=True))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`; without one it takes the same time and is False."""
        stored = None if stored == NO_PASSWORD else stored
        begun = monotonic()
        fits = await self._in_thread(self._verify, stored or self._nobody, password)
        self._lengths.append(monotonic() - begun)
        return fits and stored is not None

    async def seem_to_check(self, less: float = 0) -> None:
        """Take as long as a check does at present, without the work of one; `less` seconds that something else took."""
        if self._lengths:
            await asyncio.sleep(random.choice(self._lengths) - less)  # noqa: S311 - a length of time, not a secret
        else:
            await self.matches(None, "")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return HASHER.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        if self._callers >= AT_ONCE + WAITING:
            raise Busy
        self._callers += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._callers -= 1


@cache
def _common() -> frozenset[str]:
    """11,611 passwords of 8 characters or more out of breaches, in lower case: zxcvbn's list, loaded on first use."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)


def weakness(password: str, known: Iterable[str] = ()) -> str:
    """Why a password is refused, in words; empty for one that is not."""
    plain = password.casefold()
    if plain in _common():
        return "it is known from breaches"
    if len(set(plain)) < 3:
        return "it repeats itself"
    left = plain
    for word in sorted((word.casefold() for word in known if len(word) >= 4), key=len, reverse=True):
        left = left.replace(word, "")
    if left != plain and len(re.sub(r"[\W\d_]", "", left)) < 4:
        return "it is little more than a name or the address"
    return ""
