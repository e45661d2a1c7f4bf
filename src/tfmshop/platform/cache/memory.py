"""What one process keeps in memory: bounded in bytes, and not emptied by those who look at everything once.

S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): what is new waits in a small queue
and is dropped there unless it was asked for again; what was dropped and comes back, and what was asked for, goes into
the main queue, whose head is kept another round for each time it was asked for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final

from tfmshop.platform.cache.entry import Entry

SMALL: Final = 0.1
"""The share of the bytes that what is new may fill."""
MOST_COUNTED: Final = 3


class Memory:
    """Entries by key. What is too large for the small queue is not kept at all."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._table: dict[str, Entry] = {}
        self._tagged: dict[str, set[str]] = {}
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        self._ghosts: OrderedDict[str, None] = OrderedDict()
        self._small_bytes = 0
        self._gone = 0
        self.bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._table.values()))

    def get(self, key: str) -> Entry | None:
        """An entry, counted as asked for."""
        entry = self._table.get(key)
        if entry is not None and entry.asked < MOST_COUNTED:
            entry.asked += 1
        return entry

    def put(self, entry: Entry) -> None:
        """Keep an entry, in the place of one with its key."""
        if entry.size > self._most * SMALL:
            self.drop(entry.key)
            return
        old = self._table.get(entry.key)
        self._table[entry.key] = entry
        for tag in entry.tags:
            self._tagged.setdefault(tag, set()).add(entry.key)
        if old is not None:
            entry.asked, entry.in_main = old.asked, old.in_main
            self._forget(old, entry.tags)
        else:
            entry.in_main = self._ghosts.pop(entry.key, 0) is None
        (self._main if entry.in_main else self._small).append(entry)
        self.bytes += entry.size
        self._small_bytes += 0 if entry.in_main else entry.size
        while self.bytes > self._most:
            self._evict()
        if self._gone > len(self._table) + 100:
            self._small, self._main = (
                deque(one for one in queue if not one.gone) for queue in (self._small, self._main)
            )
            self._gone = 0

    def drop(self, key: str) -> bool:
        """Forget an entry; whether it was there."""
        entry = self._table.pop(key, None)
        if entry is not None:
            self._forget(entry)
        return entry is not None

    def tagged(self, tag: str) -> list[Entry]:
        """The entries with a tag."""
        return [self._table[key] for key in self._tagged.get(tag, ())]

    def clear(self) -> int:
        """Forget everything; how many entries there were."""
        count = len(self._table)
        for kept in (self._table, self._tagged, self._small, self._main, self._ghosts):
            kept.clear()
        self.bytes = self._small_bytes = self._gone = 0
        return count

    def _forget(self, entry: Entry, but: frozenset[str] = frozenset()) -> None:
        """Take an entry out of the sums; its place in a queue is passed over when its turn comes."""
        entry.gone = True
        self._gone += 1
        self.bytes -= entry.size
        self._small_bytes -= 0 if entry.in_main else entry.size
        for tag in entry.tags - but:
            keys = self._tagged.get(tag)
            if keys is not None:
                keys.discard(entry.key)
                if not keys:
                    del self._tagged[tag]

    def _evict(self) -> None:
        small = bool(self._small) and (self._small_bytes > self._most * SMALL or not self._main)
        entry = (self._small if small else self._main).popleft()
        if entry.gone:
            self._gone -= 1
            return
        if small and entry.asked:
            entry.asked, entry.in_main = 0, True
            self._small_bytes -= entry.size
            self._main.append(entry)
        elif not small and entry.asked:
            entry.asked -= 1
            self._main.append(entry)
        else:
            self.drop(entry.key)
            self._gone -= 1
            self.evicted += 1
            if small:
                self._ghosts[entry.key] = None
                while len(self._ghosts) > len(self._table) + 100:
                    self._ghosts.popitem(last=False)
