"""Requests that were answered from memory, or turned away, as they wait to be told of."""

from __future__ import annotations


class Alike:
    """A page and a status: what many answers have in common. All are of GET."""

    __slots__ = ("path", "route", "seconds", "status")

    def __init__(self, path: str, route: str, status: int) -> None:
        self.path, self.route, self.status = path, route, status
        self.seconds: list[float] = []
        """How long those took that are being counted."""


Answered = tuple[Alike, str, float, float, bytes | None]
"""One answer: the request's id, the moments of `clock.monotonic` when it came and when it was answered, and the
`traceparent` of the client.
"""
