"""The record of an import: how far it came, so that it can go on after a crash, and what it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tfmshop.commerce.catalog import Loader
from tfmshop.commerce.transfer.errors import CannotImport, TakenOver
from tfmshop.commerce.transfer.store import FINISH, LIST, NOTE, START
from tfmshop.platform import ids
from tfmshop.platform.db import Tx

GONE: Final = "The same file is being imported by another command, which goes on with it, or was taken back."
OF_ANOTHER: Final = "The same file is being imported as {}, or that broke off: go on with it, or take it back first."


@dataclass(slots=True)
class ImportRun:
    """One file on its way into the catalogue; `line` is the last line dealt with."""

    id: UUID
    line: int = 0
    created: int = 0
    updated: int = 0
    rejected: int = 0
    made_categories: list[UUID] = field(default_factory=list)
    made_brands: list[UUID] = field(default_factory=list)

    @classmethod
    async def start(cls, tx: Tx, fingerprint: str, file: str, staged: UUID | None = None) -> ImportRun:
        """Begin an import, or take up what did not end of it; if it is `staged`, nobody else's. `CannotImport`."""
        row = await tx.row(START, staged or ids.new(), fingerprint, file)
        assert row is not None  # noqa: S101 - INSERT ... RETURNING gives a row
        if staged is not None and row["id"] != staged:
            raise CannotImport(why=OF_ANOTHER.format(row["id"]))
        return cls(*row)

    def after(self, line: int, created: int, updated: int, rejected: int, loader: Loader) -> ImportRun:
        """The record after one more batch, that `loader` loaded."""
        return ImportRun(
            self.id, line, self.created + created, self.updated + updated, self.rejected + rejected,
            [*self.made_categories, *loader.categories.take_made()], [*self.made_brands, *loader.brands.take_made()],
        )  # fmt: skip

    async def note(self, tx: Tx, before: ImportRun) -> None:
        """Record the progress since `before`, in the transaction of the rows. `TakenOver`: another one is on."""
        noted = await tx.value(
            NOTE, self.id, self.line, self.created, self.updated, self.rejected, self.made_categories, self.made_brands,
            before.line,
        )  # fmt: skip
        if noted is None:
            raise TakenOver(why=GONE)

    async def finish(self, tx: Tx) -> None:
        """Mark the import as done. `TakenOver`: it was taken back meanwhile."""
        if await tx.value(FINISH, self.id) is None:
            raise TakenOver(why=GONE)


@dataclass(frozen=True, slots=True)
class Listed:
    """An import as staff see it; `undone_at` when it was taken back."""

    id: UUID
    file: str
    created: int
    updated: int
    rejected: int
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None


async def imports(tx: Tx, limit: int) -> list[Listed]:
    """The last imports, newest first."""
    return [Listed(*row) for row in await tx.rows(LIST, limit)]
