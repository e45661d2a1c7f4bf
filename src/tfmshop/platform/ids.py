"""Identifiers: time-ordered UUIDs, secret tokens, and numbers people can read out loud."""

from __future__ import annotations

import itertools
import os
import random
import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import uuid_utils

READABLE = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # digits and letters without 0/O, 1/I/L: 31 symbols


def new() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then randomness, so new rows stay together in an index."""
    return UUID(int=uuid_utils.uuid7().int)


class _Requests:
    """A moment and 40 random bits, made anew now and then, before a number that counts up."""

    begin = ""
    numbers = itertools.count()


def _begin_anew() -> None:
    _Requests.numbers = itertools.count()


os.register_at_fork(after_in_child=_begin_anew)


def request_id() -> str:
    """32 hexadecimal digits, for one request: those of a process are in the order of time, of two nearly."""
    number = next(_Requests.numbers)
    if not number & 0x3FF:
        _Requests.begin = uuid_utils.uuid7().hex[:12] + secrets.token_hex(5)
    return f"{_Requests.begin}{number:010x}"


def parse(text: str) -> UUID | None:
    """The UUID written in `text`, or None when it is not one."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def token() -> str:
    """A secret for a URL or header: 256 random bits, base64url without padding (43 characters)."""
    return secrets.token_urlsafe(32)


def secret(size: int) -> bytes:
    """`size` random bytes: a key."""
    return secrets.token_bytes(size)


def readable(length: int = 10) -> str:
    """`length` random symbols of `READABLE`; 10 give 31**10 (8e14) possibilities, so numbers cannot be guessed."""
    return "".join(secrets.choice(READABLE) for _ in range(length))


def repeatable(seed: int) -> Callable[[datetime], UUID]:
    """A maker of UUIDv7s that depend on `seed` and the given moment only: the same shop from the same seed."""
    source = random.Random(seed)  # noqa: S311 - sample data, not secrets

    def make(moment: datetime) -> UUID:
        milliseconds = int(moment.timestamp() * 1000)
        value = (milliseconds & (1 << 48) - 1) << 80 | source.getrandbits(80)
        value = value & ~(0xF << 76) | 7 << 76
        return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)

    return make
