"""Requests that were answered from memory, or turned away in a crowd, as they wait to be told of."""

from __future__ import annotations

from functools import cache
from typing import Final

FAILED: Final = 500
"""From this status on the shop did not do what it was asked for."""
TURNED_AWAY: Final = 503
"""The status of who finds no place, which may be as many as ask."""


class Timed:
    """A route and a status: what is counted together."""

    __slots__ = ("route", "seconds", "status")

    def __init__(self, route: str, status: int) -> None:
        self.route, self.status = route, status
        self.seconds: list[float] = []
        """How long those took that are being counted."""


_timed = cache(Timed)


class Alike:
    """A path and a status: what many answers have in common. All are of GET."""

    __slots__ = ("path", "status", "timed")

    def __init__(self, path: str, route: str, status: int) -> None:
        self.path, self.status, self.timed = path, status, _timed(route, status)


Answered = tuple[Alike, str, float, float, bytes | None]
"""One answer: the request's id, the moments of `clock.monotonic` when it came and when it was answered, and the
`traceparent` of the client.
"""
