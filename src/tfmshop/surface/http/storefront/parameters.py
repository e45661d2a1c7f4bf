"""Parameters and headers that several routes share."""

from __future__ import annotations

from typing import Annotated

from litestar.openapi.spec import Example
from litestar.params import Parameter

Limit = Annotated[int, Parameter(ge=1, le=100, description="Rows a page, 1 to 100.")]
Cursor = Annotated[
    str | None, Parameter(max_length=2000, description="`next_cursor` of the page before, handed back unread.")
]
Words = Annotated[str, Parameter(min_length=1, max_length=200, description='Words; "a phrase"; -without.')]
Name = Annotated[str | None, Parameter(max_length=200)]
IdempotencyKey = Annotated[
    str,
    Parameter(
        header="Idempotency-Key", min_length=1, max_length=255, description="Any text that is new for each purchase.",
        examples=[Example(value="7c9e6679-7425-40de-944b-e07fc1f90ae7")],
    ),
]  # fmt: skip
