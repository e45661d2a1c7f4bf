"""`If-Match`: a change that is meant for what was read, and refused when somebody else was faster."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

from tfmshop.surface.http.problems import InvalidField

IfMatch = Annotated[
    str | None, Parameter(header="If-Match", description='The version that was read, such as `"3"`; refused if newer.')
]


def version_of(if_match: str | None) -> int | None:
    """The version in an `If-Match`; None without one. `InvalidField`."""
    if if_match is None:
        return None
    given = if_match.strip().removeprefix("W/").strip('"')
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise InvalidField("If-Match", "Send the version as a number in quotes.")
    return int(given)
