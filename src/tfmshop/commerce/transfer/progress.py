"""How far an import is, noted while it runs, for who looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

from tfmshop.commerce.transfer.store_staged import NOTE_DONE
from tfmshop.platform.db import Database
from tfmshop.platform.errors import ShopError
from tfmshop.platform.files.rows import RowFile

EVERY: Final = 1.0
"""Seconds between two notes."""


@asynccontextmanager
async def noting(db: Database, id: UUID, source: RowFile) -> AsyncIterator[None]:
    """Note how much of a file is read, while it is."""

    async def note() -> None:
        while True:
            await asyncio.sleep(EVERY)
            with suppress(ShopError):
                async with db.tx() as tx:
                    await tx.execute(NOTE_DONE, id, source.position)

    noting = asyncio.create_task(note())
    try:
        yield
    finally:
        noting.cancel()
        await asyncio.wait([noting])
