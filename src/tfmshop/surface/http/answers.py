"""Answers of the hot reads: a value becomes bytes once, and goes out without the framework's response machinery.

Litestar serialises, wraps and re-reads headers for each response; on a list of 20 products that is a third of the
time spent in Python (decisions/0008-lean-answers.md).
"""

from __future__ import annotations

from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec

from tfmshop.platform import codec

PUBLIC: Final = (b"cache-control", b"public, no-cache")
"""Anyone may keep the answer, and asks with its ETag whether it still holds."""
_JSON: Final = (b"content-type", b"application/json")


class Public:
    """An ASGI callable that answers 200 with `value` as JSON, for anyone to keep and revalidate."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, value: object) -> None:
        self._status = 200
        self._body = codec.encode(value)
        self._headers = [_JSON, (b"content-length", b"%d" % len(self._body)), PUBLIC]

    @classmethod
    def moved(cls, address: str) -> Public:
        """The answer 301: what was asked for is at `address` for good."""
        answer = cls({"location": address})
        answer._status = 301
        answer._headers.append((b"location", address.encode("ascii")))
        return answer

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def documented(kind: type[Any], meaning: str) -> dict[int, ResponseSpec]:
    """What the OpenAPI document says of a `Public` answer."""
    return {200: ResponseSpec(data_container=kind, description=meaning, generate_examples=False)}
