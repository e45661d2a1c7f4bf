"""Parameters and headers that several routes share."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from litestar.openapi.spec import Example
from litestar.params import Parameter

from tfmshop.commerce import search
from tfmshop.surface.http.context import AnyRequest
from tfmshop.surface.http.problems import InvalidField

Limit = Annotated[int, Parameter(ge=1, le=100, description="Rows a page, 1 to 100.")]
Cursor = Annotated[
    str | None, Parameter(max_length=4000, description="`next_cursor` of the page before, handed back unread.")
]
Words = Annotated[str, Parameter(min_length=1, max_length=200, description='Words; "a phrase"; -without.')]
Name = Annotated[str | None, Parameter(max_length=200)]
Category = Annotated[str | None, Parameter(max_length=200, description="Slug or id; with descendants.")]
_FROM_ZERO: Final = {"minimum": 0}
"""The framework's document leaves a bound of 0 out."""
Amount = Annotated[
    int | None, Parameter(ge=0, le=10**15, schema_extra=_FROM_ZERO, description="In minor units (cents).")
]
Rating = Annotated[float | None, Parameter(ge=0, le=5, schema_extra=_FROM_ZERO)]
Tags = Annotated[list[str] | None, Parameter(max_items=10, description="Repeatable; all must fit.")]
Page = Annotated[int | None, Parameter(ge=1, le=10_000, description="Instead of a cursor, for people.")]
ExactCount = Annotated[Literal["exact"] | None, Parameter(description="Count all matches exactly.")]
Sort = Literal["newest", "price", "-price", "rating", "title", "popular", "relevance"] | None
_ONE = r"\s*(brand|price|rating|spec\[[^\[\]]{1,100}\])\s*"
_FACETS: Final = rf"^{_ONE}(,{_ONE}){{0,7}}$(?!\n)"
FacetNames = Annotated[
    str | None,
    Parameter(
        max_length=500,
        pattern=_FACETS,
        description="What to count: `brand,price,rating,spec[name]`, separated by commas.",
    ),
]
IdempotencyKey = Annotated[
    str,
    Parameter(
        header="Idempotency-Key", min_length=1, max_length=255, description="Any text that is new for each purchase.",
        examples=[Example(value="7c9e6679-7425-40de-944b-e07fc1f90ae7")],
    ),
]  # fmt: skip
OnceKey = Annotated[
    str | None,
    Parameter(
        header="Idempotency-Key", min_length=1, max_length=255,
        description="Any text that is new for each act: sent again with it, the same answer comes and nothing is done.",
    ),
]  # fmt: skip

MOST_SPECIFICATIONS: Final = 5
MOST_FACETS: Final = 8
LONGEST_VALUE: Final = 200
_SPECIFICATION: Final = re.compile(r"spec\[(.{1,100})\]", re.DOTALL)
_FACET: Final = re.compile(r"brand|price|rating|spec\[[^\[\]]{1,100}\]")


def list_wanted(
    request: AnyRequest,
    category: Category = None,
    brand: Name = None,
    min_price: Amount = None,
    max_price: Amount = None,
    in_stock: bool | None = None,
    rating_min: Rating = None,
    tag: Tags = None,
    sort: Sort = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    page: Page = None,
    facets: FacetNames = None,
) -> search.Wanted:
    """What lists and search have in common: filters, order, page and facets. `InvalidField`."""
    return search.Wanted(
        category=category, brand=brand, min_price=min_price, max_price=max_price, in_stock=in_stock,
        rating_min=rating_min, tags=tag or [], specifications=specifications(request), sort=sort, limit=limit,
        cursor=cursor, page=page, facets=facet_names(facets),
    )  # fmt: skip


def specifications(request: AnyRequest) -> dict[str, str]:
    """Every `spec[name]=value` of the query string. `InvalidField`."""
    if b"spec" not in request.scope["query_string"]:
        return {}
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("spec["):
            match = _SPECIFICATION.fullmatch(name)
            if match is None or len(value) > LONGEST_VALUE:
                raise InvalidField("spec", "Write spec[name]=value, with at most 100 and 200 characters.")
            found[match[1]] = value
    if len(found) > MOST_SPECIFICATIONS:
        raise InvalidField("spec", f"At most {MOST_SPECIFICATIONS} specifications.")
    return found


def facet_names(given: str | None) -> list[str]:
    """The facets that a list of names asks for. `InvalidField`."""
    names = list(dict.fromkeys(name.strip() for name in given.split(","))) if given else []
    if len(names) > MOST_FACETS or not all(_FACET.fullmatch(name) for name in names):
        raise InvalidField(
            "facets", f"Up to {MOST_FACETS} of brand, price, rating and spec[name], with commas between."
        )
    return names
