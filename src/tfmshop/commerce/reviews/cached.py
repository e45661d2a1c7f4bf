"""How long reviews hold, and what makes them stale: the triggers of the tables tell it (0028)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tfmshop.platform.cache import Fresh

REVIEWS: Final = Fresh("reviews", "CACHE_TTL_REVIEWS")


def page_of(product: UUID) -> list[str]:
    """The tags of a product's reviews."""
    return [f"reviews:{product}", f"product:{product}"]
