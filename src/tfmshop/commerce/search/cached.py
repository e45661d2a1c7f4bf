"""How long lists and results hold, and what makes them stale: the triggers of the tables tell it (0028)."""

from __future__ import annotations

from typing import Final

from tfmshop.commerce.search.model import Listing, Wanted
from tfmshop.platform import ids
from tfmshop.platform.cache import Fresh

RESULTS: Final = Fresh("search", "CACHE_TTL_SEARCH")
SUGGESTIONS: Final = ("search", "list", "categories")
"""The tags of suggestions."""


def page_of(wanted: Wanted, listing: Listing) -> list[str]:
    """The tags of a list: of the category that it is in, or of all. Words that found nothing are not kept, because each
    time counts.
    """
    if wanted.q and not listing.items:
        return []
    category = wanted.category and (ids.parse(wanted.category) or wanted.category)
    return [f"list:{category}" if category else "list", *(["search"] if wanted.q else [])]
