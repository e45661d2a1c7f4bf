"""`If-Match`: a change that is meant for what was read, and refused when somebody else was faster."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

IfMatch = Annotated[
    str | None,
    Parameter(
        header="If-Match",
        pattern=r'^(W/)?"?[0-9]{1,9}"?$(?!\n)',
        description='The version that was read, such as `"3"`; refused if newer.',
    ),
]


def version_of(if_match: str | None) -> int | None:
    """The version in an `If-Match`; None without one."""
    return None if if_match is None else int(if_match.removeprefix("W/").strip('"'))
