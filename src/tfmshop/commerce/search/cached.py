"""How long lists and results hold, and what makes them stale: the triggers of the tables tell it (0028)."""

from __future__ import annotations

import re
from typing import Final

from tfmshop.commerce.search.model import Listing, Wanted
from tfmshop.platform import ids
from tfmshop.platform.cache import Fresh

_NAME: Final = re.compile(r"[a-z0-9-]{1,120}", re.IGNORECASE)
"""What may be the slug or id of a category; under any other name there is none, and the list is empty."""
RESULTS: Final = Fresh("search", "CACHE_TTL_SEARCH")
SUGGESTIONS: Final = ("search", "list", "categories")
"""The tags of suggestions."""


def page_of(wanted: Wanted, listing: Listing) -> list[str]:
    """The tags of a list: of the category that it is in, or of all. Words that found nothing are not kept, because each
    time counts.
    """
    if wanted.q and not listing.items:
        return []
    category = wanted.category or ""
    place = f"list:{ids.parse(category) or category}" if _NAME.fullmatch(category) else "list"
    return [place, *(["search"] if wanted.q else [])]
