"""Importing a file of products: rows to products to batches, each batch with its progress in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
import lzma
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from tfmshop.commerce import catalog
from tfmshop.commerce.transfer.batch import differences, names_of, note_changes, product_of, save, save_singly
from tfmshop.commerce.transfer.columns import unused
from tfmshop.commerce.transfer.errors import CannotImport
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.commerce.transfer.outcome import MOST_TOLD, Outcome, Rejected
from tfmshop.commerce.transfer.portions import portion
from tfmshop.commerce.transfer.read import Found, read
from tfmshop.commerce.transfer.rejects import Rejects
from tfmshop.commerce.transfer.run import ImportRun
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Refused, Tx, Unkept
from tfmshop.platform.files.rows import RowFile

ATTEMPTS: Final = 3

_Counts = tuple[int, int, list[Found]]
"""How many were created and updated, and what was rejected."""


@dataclass(slots=True)
class Import:
    """One run over one file; `currency` is that of amounts without one. Of what is `staged`, no reject file is kept."""

    db: Database
    file: Path
    source: RowFile
    mapping: Mapping
    currency: str
    dry_run: bool
    progress: Callable[[str, int, int], None] = lambda *_: None
    staged: UUID | None = None
    outcome: Outcome = field(default_factory=Outcome)
    _loader: catalog.Loader = field(default_factory=lambda: catalog.Loader(remember=True))
    _run: ImportRun | None = None
    _noted: ImportRun | None = None
    _batch: list[Found] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _refused: list[Found] = field(default_factory=list)
    _last_line: int = 0
    _rejects: Rejects | None = None
    _met: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _singly: bool = False

    async def run(self) -> Outcome:
        """Import the file; a dry run undoes each batch. `CannotImport` when the file cannot be read to its end."""
        try:
            if self.dry_run:
                await self._read()
            else:
                await self._run_for_good()
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            why = f"{self.file.name} is broken after line {self._last_line}: {error}."
            if self._run is not None:
                why += f" What came before is in; `tfmshop catalog undo {self._run.id} --force` takes it back."
            raise CannotImport(why=why) from None
        except Refused as error:
            raise CannotImport(
                why=f"Something else changed the same rows ({error.constraint}). Begin again, to go on."
            ) from None
        finally:
            if self._rejects is not None:
                self._rejects.close()
        return self.outcome

    async def _run_for_good(self) -> None:
        fingerprint = self._fingerprint()
        async with self.db.tx() as tx:
            self._run = await ImportRun.start(tx, fingerprint, self.file.name, self.staged)
        self.outcome.run = self._run.id
        self.outcome.resumed_after_line = self._run.line
        await self._read()
        async with self.db.tx() as tx:
            await self._run.finish(tx)

    async def _read(self) -> None:
        products = read(self.source, self.mapping, self.currency, self.outcome.resumed_after_line)
        while batch := await asyncio.to_thread(portion, products):
            for found in batch:
                if found.product is None:
                    self._refused.append(found)
                else:
                    await self._add(found, found.product)
                self._last_line = found.last
            await self._flush()
        self.outcome.unused = unused(self.source, self.mapping)
        self.progress("reading", self.source.size, self.source.size)

    async def _add(self, found: Found, product: catalog.NewProduct) -> None:
        names = names_of(product)
        if names & self._names:
            await self._flush()
        self._names |= names
        self._batch.append(found)

    async def _flush(self) -> None:
        created, updated, refused = await (self._tried() if self.dry_run else self._committed())
        self.outcome.created += created
        self.outcome.updated += updated
        self.outcome.rejected += len(refused)
        self._batch, self._refused, self._names = [], [], set()
        self.progress("reading", self.source.position, self.source.size)

    async def _committed(self) -> _Counts:
        """Save the batch."""
        saved = await self._until_saved(lambda: self.db.transact(self._save))
        self._run = self._noted
        return saved

    async def _until_saved(self, attempt: Callable[[], Awaitable[_Counts]]) -> _Counts:
        """Save the batch; again when somebody else made the same brand, category or product at the same time, and row
        by row when there is one among them that PostgreSQL refuses.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return await attempt()
            except Refused:
                continue
            except Unkept:
                break
        self._singly = True
        try:
            return await attempt()
        finally:
            self._singly = False

    async def _tried(self) -> _Counts:
        """Save the batch and undo it. What earlier batches would have made counts as made."""
        again = 0
        fresh: list[Found] = []
        for found in self._batch:
            product = product_of(found)
            identity = product.external_id or self._met.get(product.sku, product.sku)
            if self._met.setdefault(product.sku, identity) != identity:
                self._refused.append(replace(found, reason=f"sku {product.sku!r} belongs to another product"))
            elif identity in self._seen:
                again += 1
            else:
                fresh.append(found)
            self._seen.add(identity)
        if not fresh:
            self._keep(self._refused)
            return 0, again, self._refused
        self._batch = fresh
        saved = await self._until_saved(lambda: self.db.rehearse(self._save))
        self._loader = catalog.Loader(remember=True)
        return saved[0], saved[1] + again, saved[2]

    async def _save(self, tx: Tx) -> _Counts:
        """One batch; safe to run again after a deadlock, since what the loader met in vain is forgotten."""
        loader, self._loader = self._loader, catalog.Loader(remember=True)
        saved = await (save_singly if self._singly else save)(tx, loader, self._batch)
        refused = [*self._refused, *saved.refused]
        created = sum(one.created for one in saved.loaded)
        updated = len(saved.loaded) - created
        if self.dry_run:
            self.outcome.tell(await differences(tx, saved))
        elif self._run is not None:
            self._noted = self._run.after(self._last_line, created, updated, len(refused), loader)
            await self._noted.note(tx, self._run)
            await note_changes(tx, self._noted.id, saved)
        self._keep(sorted(refused, key=lambda one: one.first))
        self._loader = loader
        return created, updated, refused

    def _keep(self, refused: list[Found]) -> None:
        shown = refused[: MOST_TOLD - len(self.outcome.problems)]
        self.outcome.problems += [Rejected(found.first, found.reason) for found in shown]
        if refused and self._run is not None and self.staged is None:
            self._rejects = self._rejects or Rejects(self.file, again=bool(self.outcome.resumed_after_line))
            self._rejects.add(refused)
            self.outcome.rejects_file = str(self._rejects.path)

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(codec.encode(self.mapping))
        with self.file.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
