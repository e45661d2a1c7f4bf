"""How long pages of the catalogue hold, and what makes them stale: the triggers of the tables tell it (0028)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.catalog.model import Product
from tfmshop.platform import codec
from tfmshop.platform.cache import Fresh

PRODUCTS: Final = Fresh("products", "CACHE_TTL_PRODUCTS")
CATEGORIES: Final = Fresh("categories", "CACHE_TTL_CATEGORIES")
TREE: Final = ("categories",)
"""The tags of what shows categories and how many products they have."""
LIST: Final = ("list",)
"""The tags of what shows products that may come from anywhere."""


def product(id: UUID) -> str:
    """The tag of what shows a product."""
    return f"product:{id}"


def stock(id: UUID) -> str:
    """The tag of what shows how many there are of a product."""
    return f"stock:{id}"


class _Named(msgspec.Struct, gc=False):
    id: str


_SEVERAL = list[_Named]


def page_of(shown: Product) -> list[str]:
    """The tags of a product's page: its own and its stock's, those of the products that go with it, and of where these
    come from.
    """
    related = codec.decode_as(codec.encode(shown.related), _SEVERAL)
    above = codec.decode_as(codec.encode(shown.breadcrumbs), _SEVERAL)
    tags = [f"product:{one.id}" for one in related]
    tags += product(shown.id), stock(shown.id)
    if above:
        tags.append(f"related:{above[-1].id}")
    return tags
