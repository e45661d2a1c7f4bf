"""The record of an import: how far it came, so that it can go on after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tfmshop.commerce.catalog.store import ANALYZE, FINISH_IMPORT, NOTE_IMPORT, START_IMPORT
from tfmshop.platform import ids
from tfmshop.platform.db import Tx


@dataclass(slots=True)
class ImportRun:
    """One file on its way into the catalogue; `line` is the last line dealt with."""

    id: UUID
    line: int = 0
    created: int = 0
    updated: int = 0
    rejected: int = 0

    @classmethod
    async def start(cls, tx: Tx, fingerprint: str, file: str) -> ImportRun:
        """Begin an import, or take up the one of the same content that did not end."""
        row = await tx.row(START_IMPORT, ids.new(), fingerprint, file)
        assert row is not None  # noqa: S101 - INSERT ... RETURNING gives a row
        return cls(*row)

    async def note(self, tx: Tx) -> None:
        """Record the progress, in the transaction of the rows."""
        await tx.execute(NOTE_IMPORT, self.id, self.line, self.created, self.updated, self.rejected)

    async def finish(self, tx: Tx) -> None:
        """Mark the import as done, and let the planner know the new data."""
        await tx.execute(FINISH_IMPORT, self.id)
        await tx.execute(ANALYZE)
