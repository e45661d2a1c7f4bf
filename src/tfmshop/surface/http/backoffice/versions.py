"""`If-Match`: a change that is meant for what was read, and refused when somebody else was faster."""

from __future__ import annotations

from typing import Annotated, Protocol, TypeVar

from litestar import Response
from litestar.params import Parameter


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=_Versioned)
IfMatch = Annotated[
    str | None,
    Parameter(
        header="If-Match",
        pattern=r'^(\*|(W/)?"?[0-9]{1,9}"?)$(?!\n)',
        description='The `ETag` or version that was read, such as `"3"`; refused if newer. `*` is any.',
    ),
]


def version_of(if_match: str | None) -> int | None:
    """The version in an `If-Match`; None without one, and for any."""
    return None if if_match in (None, "*") else int(if_match.removeprefix("W/").strip('"'))


def tagged(value: V) -> Response[V]:
    """The answer with its version as `ETag`, to be sent back as `If-Match`."""
    return Response(value, headers={"etag": f'"{value.version}"'})
