"""Answers of the hot reads: a value becomes bytes once, and goes out without the framework's response machinery.

Litestar serialises, wraps and re-reads headers for each response; on a list of 20 products that is a third of the
time spent in Python (decisions/0008-lean-answers.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec

from tfmshop.platform import codec
from tfmshop.platform.cache import Fresh
from tfmshop.surface.http.problems import Problem
from tfmshop.surface.http.tiers import limited

_JSON: Final = (b"content-type", b"application/json")
_MISSING: Final = ("missing",)


class Public:
    """An ASGI callable that answers 200 with `value` as JSON, for anyone to have, and to be kept until one of its tags
    is stale; without tags it is not kept.
    """

    __slots__ = ("body", "headers", "status", "tags")

    def __init__(self, value: object, tags: Iterable[str] = ()) -> None:
        self.status = 200
        self.body = codec.encode(value)
        self.headers = [_JSON]
        self.tags = frozenset(tags)

    @classmethod
    def moved(cls, address: str) -> Public:
        """The answer 301: what was asked for is at `address` for good."""
        answer = cls({"location": address}, _MISSING)
        answer.status = 301
        answer.headers = [_JSON, (b"location", address.encode("ascii"))]
        return answer

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        """Send it, where the framework and not the edge was asked for it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


@dataclass(frozen=True, slots=True)
class Refused:
    """A page that cannot be made: why, and as it is sent."""

    error: Exception
    problem: Problem


def public(kind: type[Any], meaning: str, fresh: Fresh, limit: str = "api") -> dict[str, Any]:
    """What a route with `Public` answers declares: what the document says of them, how long they hold, and the
    tier that they count against.
    """
    response = ResponseSpec(data_container=kind, description=meaning, generate_examples=False)
    return {"responses": {200: response}, "opt": {"public": fresh} | limited(limit)}
