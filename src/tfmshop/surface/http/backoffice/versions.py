"""`If-Match`: a change that is meant for what was read, and refused when somebody else was faster."""

from __future__ import annotations

from typing import Annotated, Protocol, TypeVar

from litestar import Response
from litestar.params import Parameter

from tfmshop.platform import codec
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.surface.http.edge.page import tag_of


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


class ChangedMeanwhile(
    ShopError, kind=Kind.STALE, code="changed_meanwhile", says="It was changed since it was read: read it again."
):
    """What `If-Match` names is not what there is."""


T = TypeVar("T")
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


IfSame = Annotated[
    str | None,
    Parameter(
        header="If-Match",
        max_length=200,
        pattern=r'^(\*|(W/)?"[!#-~]{1,100}")$(?!\n)',
        description="The `ETag` of what was read; refused when it is otherwise now. `*` is any.",
    ),
]
"""`If-Match` for what has no number of its versions: what staff read is compared as a whole."""


def expect(if_match: str | None, shown: object) -> None:
    """Refuse a change that was meant for something else than what there is: `ChangedMeanwhile`."""
    if if_match not in (None, "*") and if_match.removeprefix("W/") != _mark(shown):
        raise ChangedMeanwhile


def marked(shown: T, of: object = None) -> Response[T]:
    """The answer with an `ETag` of all that is in it, to be sent back as `If-Match`; with `of`, a weak one of that part
    of it which matters.
    """
    return Response(shown, headers={"etag": _mark(shown) if of is None else f"W/{_mark(of)}"})


def _mark(shown: object) -> str:
    return tag_of(codec.encode(shown)).decode()
