"""What a cache did, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """How often values of one kind were handed out, and how they came to be.

    hits: from memory, of these `stale` while they were made anew. misses: not in memory; of these `shared` came from
    Redis, `waits` from somebody who was making them, `saved` were old and handed out because the database was away.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    shared: int = 0
    waits: int = 0
    saved: int = 0
    rebuilds: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """The share of those who asked that got it from memory, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    def add(self, other: Tally) -> None:
        """Add the numbers of another process."""
        for name in Tally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def made(self, seconds: float) -> None:
        """One more was made, which took so long."""
        self.rebuilds += 1
        self.seconds += seconds
