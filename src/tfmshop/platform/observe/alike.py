"""Requests that were answered from memory, or turned away in a crowd, as they wait to be told of."""

from __future__ import annotations

from functools import cache
from typing import Final

FAILED: Final = 500
"""From this status on the shop did not do what it was asked for."""
LONGEST_PATH: Final = 512
"""Characters of a path that are told."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What is counted by its name."""


class Timed:
    """A method, a route and a status: what is counted together. There is one of each."""

    __slots__ = ("method", "route", "seconds", "status")

    def __init__(self, method: str, route: str, status: int) -> None:
        self.method, self.route, self.status = method, route, status
        self.seconds: Final[list[float]] = []
        """How long those took that were not counted yet. Always the same list: whoever adds to it holds it."""
        TIMED.append(self)


TIMED: Final[list[Timed]] = []
_timed = cache(Timed)


def counted(method: str) -> str:
    """What a method is counted as."""
    return method if method in METHODS else "_OTHER"


class Alike:
    """A method, a path and a status: what many answers have in common."""

    __slots__ = ("method", "path", "seconds", "status", "timed")

    def __init__(self, path: str, route: str, status: int, method: str = "GET") -> None:
        self.method, self.path, self.status = method, path[:LONGEST_PATH], status
        self.timed = _timed(counted(method), route, status)
        self.seconds = self.timed.seconds


Answered = tuple[Alike, str, float, float, bytes | None]
"""One answer: the request's id, the moments of `clock.monotonic` when it came and when it was answered, and the
`traceparent` of the client.
"""
