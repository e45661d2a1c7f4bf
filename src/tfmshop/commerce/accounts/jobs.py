"""What accounts do by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tfmshop.commerce.accounts.store_sessions import FORGET_PROOFS, FORGET_SESSIONS
from tfmshop.platform import limits
from tfmshop.platform.db import Database
from tfmshop.platform.jobs import schedule

KEPT: Final = timedelta(days=7)
"""How long after its end a session or a link is remembered."""


@schedule("accounts.forget", "27 * * * *")
async def forget(db: Database) -> None:
    """Drop sessions, links and tries that ended long ago."""
    async with db.tx() as tx:
        await tx.execute(FORGET_SESSIONS, KEPT)
        await tx.execute(FORGET_PROOFS, KEPT)
        await limits.forget(tx)
