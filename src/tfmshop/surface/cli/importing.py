"""Importing a file of products: rows to products to batches, each batch with its progress in one transaction."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final

from tfmshop.commerce import catalog, inventory
from tfmshop.platform import Platform, codec
from tfmshop.platform.db import Refused, Tx
from tfmshop.platform.files.rows import Line, RowFile
from tfmshop.surface.cli.host import Failure

Saved = tuple[int, int, list[tuple[Line, str]]]
"""How many products were added and updated, and the rows that were refused."""

BATCH: Final = 500
ATTEMPTS: Final = 3
SHOWN: Final = 10
"""How many rejected rows are named on the screen; the reject file has them all."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be used."""

    line: int
    reason: str


@dataclass(slots=True)
class Outcome:
    """What an import did."""

    created: int = 0
    updated: int = 0
    rejected: int = 0
    resumed_after_line: int = 0
    rejects_file: str | None = None
    problems: list[Rejected] = field(default_factory=list)


@dataclass(slots=True)
class Import:
    """One run over one file."""

    platform: Platform
    file: Path
    source: RowFile
    mapping: catalog.Mapping
    dry_run: bool
    progress: Callable[[str, int, int], None]
    outcome: Outcome = field(default_factory=Outcome)
    _loader: catalog.Loader = field(default_factory=catalog.Loader)
    _run: catalog.ImportRun | None = None
    _noted: catalog.ImportRun | None = None
    _batch: list[tuple[Line, catalog.NewProduct]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _refused: list[tuple[Line, str]] = field(default_factory=list)
    _last_line: int = 0
    _rejects: IO[bytes] | None = None
    _met: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    async def run(self) -> Outcome:
        """Import the file. `Failure` when it cannot be read to its end; what was committed stays, and it can go on.

        A dry run does the same batch by batch and keeps nothing but what it has met, in memory.
        """
        try:
            if self.dry_run:
                await self._read()
            else:
                await self._run_for_good()
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise Failure(f"{self.file} is broken after line {self._last_line}: {error}") from None
        except Refused as error:
            raise Failure(
                f"Something else changed the same rows ({error.constraint}). Run the same command again to go on."
            ) from None
        finally:
            if self._rejects is not None:
                self._rejects.close()
        return self.outcome

    async def _run_for_good(self) -> None:
        fingerprint = self._fingerprint()
        async with self.platform.db.tx() as tx:
            self._run = await catalog.ImportRun.start(tx, fingerprint, str(self.file))
        self.outcome.resumed_after_line = self._run.line
        await self._read()
        async with self.platform.db.tx() as tx:
            await self._run.finish(tx)

    async def _read(self) -> None:
        currency = self.platform.config.text("SHOP_CURRENCY")
        skip = self.outcome.resumed_after_line
        for line in self.source.lines():
            if line.number <= skip:
                continue
            self._check_columns()
            try:
                if line.row is None:
                    raise catalog.BadImport(line.problem)
                product = self.mapping.product(line.row, currency)
            except catalog.BadImport as error:
                self._refused.append((line, str(error)))
            else:
                await self._add(line, product)
            self._last_line = line.number
            if len(self._batch) + len(self._refused) >= BATCH:
                await self._flush()
        await self._flush()
        self.progress("reading", self.source.size, self.source.size)

    def _check_columns(self) -> None:
        wanted = [name for name in (self.mapping.fields.sku, self.mapping.fields.title) if not name.startswith("=")]
        columns = self.source.columns
        missing = [name for name in wanted if columns is not None and name not in columns]
        if missing and columns is not None:
            raise Failure(f"{self.file} has no column {missing[0]!r}; its columns are: {', '.join(columns)[:200]}.")

    async def _add(self, line: Line, product: catalog.NewProduct) -> None:
        names = {f"sku {product.sku}", f"id {product.external_id or product.sku}"}
        if names & self._names:
            await self._flush()
        self._names |= names
        self._batch.append((line, product))

    async def _flush(self) -> None:
        created, updated, refused = await (self._tried() if self.dry_run else self._committed())
        self.outcome.created += created
        self.outcome.updated += updated
        self.outcome.rejected += len(refused)
        self._batch, self._refused, self._names = [], [], set()
        self.progress("reading", self.source.position, self.source.size)

    async def _committed(self) -> Saved:
        """Save the batch; again when somebody else made the same brand, category or product at the same time."""
        for attempt in range(ATTEMPTS):
            try:
                saved = await self.platform.db.transact(self._save)
                break
            except Refused:
                if attempt + 1 == ATTEMPTS:
                    raise
        self._run = self._noted
        return saved

    async def _tried(self) -> Saved:
        """Save the batch and undo it. What earlier batches would have made counts as made."""
        again = 0
        fresh: list[tuple[Line, catalog.NewProduct]] = []
        for line, product in self._batch:
            identity = product.external_id or product.sku
            owner = self._met.setdefault(product.sku, identity)
            if owner != identity:
                self._refused.append((line, f"sku {product.sku!r} belongs to another product"))
            elif identity in self._seen:
                again += 1
            else:
                fresh.append((line, product))
            self._seen.add(identity)
        self._batch = fresh
        saved: Saved = (0, 0, [])
        async with self.platform.db.tx() as tx:
            saved = await self._save(tx)
            self._loader = catalog.Loader()
            tx.roll_back()
        return saved[0], saved[1] + again, saved[2]

    async def _save(self, tx: Tx) -> Saved:
        """One batch; safe to run again after a deadlock, since what the loader met in vain is forgotten."""
        loader, self._loader = self._loader, catalog.Loader()
        created = updated = 0
        refused = list(self._refused)
        levels: list[inventory.Level] = []
        outcomes = await loader.load(tx, [product for _, product in self._batch])
        for (line, _), outcome in zip(self._batch, outcomes, strict=True):
            if isinstance(outcome, str):
                refused.append((line, outcome))
                continue
            created += outcome.created
            updated += not outcome.created
            levels += [inventory.Level(v, outcome.product_id, sku, n) for v, (sku, n) in outcome.stock.items()]
        await inventory.set_levels(tx, levels)
        if self._run is not None:
            done = replace(
                self._run, line=self._last_line, created=self._run.created + created,
                updated=self._run.updated + updated, rejected=self._run.rejected + len(refused),
            )  # fmt: skip
            await done.note(tx)
            self._noted = done
        self._keep(sorted(refused, key=lambda one: one[0].number))
        self._loader = loader
        return created, updated, refused

    def _keep(self, refused: list[tuple[Line, str]]) -> None:
        for line, reason in refused:
            if len(self.outcome.problems) < SHOWN:
                self.outcome.problems.append(Rejected(line.number, reason))
            if self._run is not None:
                row = {"line": line.number, "reason": reason, "row": line.raw}
                self._reject_file().write(codec.encode(row) + b"\n")
        if self._rejects is not None:
            self._rejects.flush()

    def _reject_file(self) -> IO[bytes]:
        if self._rejects is None:
            path = Path(f"{self.file.name}.rejects.jsonl")
            try:
                self._rejects = path.open("ab" if self.outcome.resumed_after_line else "wb")
            except OSError as error:
                raise Failure(f"Cannot keep rejected rows in {path}: {error.strerror}.") from None
            self.outcome.rejects_file = str(path)
        return self._rejects

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(codec.encode(self.mapping))
        with self.file.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
