"""What is kept, of which kind, and how long it holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from tfmshop.platform.cache.tally import Tally
from tfmshop.platform.clock import monotonic

V = TypeVar("V")
EVERYTHING: Final = "*"
"""The tag that all have."""
EVERY_PAGE: Final = "shop"
"""What CDNs know each page of the shop by, besides its tags."""
JITTER: Final = 0.1
"""How much the ages of entries differ, so that what was made together does not end together."""

OVERHEAD: Final = 600
TAG_OVERHEAD: Final = 150
"""Bytes that an entry, and each of its tags, take besides the value: measured with `tracemalloc`."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """How long a sort of things holds, declared beside its noun: a name, and the setting that has the seconds."""

    name: str
    setting: str


@dataclass(frozen=True)
class Kind(Generic[V]):
    """A sort of things that are cached under one name: how long they hold, and how they travel to other processes.

    After `fresh` an entry is still handed out for as long as `stale` while it is made anew; an event makes it stale at
    once. `pack` and `unpack` turn it into bytes and back; without them each process has its own. `size` is what it
    takes in memory, in bytes.
    """

    name: str
    fresh: timedelta
    pack: Callable[[V], bytes] | None
    unpack: Callable[[bytes], V] | None
    size: Callable[[V], int]
    stale: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Made(Generic[V]):
    """A new value, and the tags of what it was made of; `fresh` where it holds for another time than its kind."""

    value: V
    tags: frozenset[str]
    fresh: timedelta | None = None


class Entry:
    """A value in memory. Times are of `clock.monotonic`, in seconds."""

    __slots__ = ("asked", "born", "fresh_until", "gone", "hits", "in_main", "key", "kind", "refreshing", "seconds",
                 "size",
                 "stale_until", "tags", "tally", "value")  # fmt: skip

    def __init__(
        self, kind: Kind[Any], key: str, made: Made[Any], tally: Tally, seconds: float, age: float = 0
    ) -> None:
        """An entry that took so many seconds to make, and is so old already."""
        fresh = (made.fresh or kind.fresh).total_seconds() * random.uniform(1 - JITTER, 1)  # noqa: S311 - chance
        self.kind = kind
        self.tally = tally
        self.key = key
        self.value = made.value
        self.tags = made.tags
        self.size = kind.size(made.value) + len(key) + OVERHEAD + TAG_OVERHEAD * len(made.tags)
        self.seconds = seconds
        self.born = monotonic() - age
        self.fresh_until = self.born + fresh
        self.stale_until = self.fresh_until + kind.stale.total_seconds()
        self.asked = 0
        self.hits = 0
        self.in_main = False
        self.gone = False
        self.refreshing = False
