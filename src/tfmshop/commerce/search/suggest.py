"""What typed letters may become."""

from __future__ import annotations

from tfmshop.commerce.search.model import Suggestion
from tfmshop.commerce.search.store import SUGGEST
from tfmshop.platform.db import Tx


async def suggest(tx: Tx, typed: str) -> list[Suggestion]:
    """Up to 10 categories and products with words that begin like those typed, popular products first."""
    if not typed.strip():
        return []
    pattern = typed.lower().strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [Suggestion(*row[:3]) for row in await tx.rows(SUGGEST, typed, pattern)]
