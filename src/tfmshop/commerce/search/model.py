"""What is asked of lists and search, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from tfmshop.commerce import catalog

DEEPEST_PAGE: Final = 1_000
"""LIMIT/OFFSET goes no further than this many products; cursors go on to the end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products, in which order. Amounts in minor units; `category` and `brand` by slug (or id, or name)."""

    q: str | None = None
    category: str | None = None
    brand: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    rating_min: float | None = None
    tags: list[str] = field(default_factory=list)
    specifications: dict[str, str] = field(default_factory=dict)
    sort: str | None = None
    limit: int = 20
    cursor: str | None = None
    page: int | None = None
    exact_count: bool = False
    facets: list[str] = field(default_factory=list)
    """`brand`, `price`, `rating`, `spec[name]`."""
    highlight: bool = False


class Hit(catalog.model.Item, frozen=True, gc=False):
    """A product in a list; in a search, `highlight` is its title as HTML with the found words in <em>."""

    highlight: str | UnsetType = UNSET


class Counted(msgspec.Struct, frozen=True):
    """A value and how many of the products have it."""

    value: str
    count: int


class PriceRange(msgspec.Struct, frozen=True):
    """Products of a range of prices, in minor units, as the filters `min_price` and `max_price` take them."""

    min_price: int
    max_price: int | None
    count: int


class RatingAtLeast(msgspec.Struct, frozen=True):
    """Products with at least that many stars."""

    rating_min: int
    count: int


class Facets(msgspec.Struct, frozen=True):
    """What the products of a list have in common. Counts are estimates from a sample when `is_exact` is false."""

    is_exact: bool
    brand: list[Counted] | UnsetType = UNSET
    price: list[PriceRange] | UnsetType = UNSET
    rating: list[RatingAtLeast] | UnsetType = UNSET
    specifications: dict[str, list[Counted]] | UnsetType = UNSET


class Listing(msgspec.Struct, frozen=True):
    """A page of products. `total` is exact when `total_is_exact`, otherwise an estimate or a lower bound.

    `corrected` is the query that was answered when the one that was typed finds nothing. `by_meaning`: no product has
    all the words, these are about something similar.
    """

    items: list[Hit]
    next_cursor: str | None
    total: int
    total_is_exact: bool
    facets: Facets | UnsetType = UNSET
    corrected: str | UnsetType = UNSET
    by_meaning: bool | UnsetType = UNSET


class Suggestion(msgspec.Struct, frozen=True):
    """What typed letters may become: a `product` or a `category`."""

    kind: str
    slug: str
    title: str


def fact_name(name: str) -> str:
    """How a specification is called among the facts of an entry, where `=` parts it from its value."""
    return name.replace("=", "_")
