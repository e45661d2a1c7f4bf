"""Importing a file of products: rows to products to batches, each batch with its progress in one transaction."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from tfmshop.commerce import catalog, inventory
from tfmshop.platform import Platform, codec
from tfmshop.platform.files.rows import Line, RowFile
from tfmshop.surface.cli.host import Failure

BATCH: Final = 500
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
    _batch: list[tuple[Line, catalog.NewProduct]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _refused: list[tuple[Line, str]] = field(default_factory=list)
    _last_line: int = 0
    _rejects: IO[bytes] | None = None

    async def run(self) -> Outcome:
        """Import the file. `Failure` when it cannot be read to its end; what was committed stays, and it can go on."""
        if not self.dry_run:
            async with self.platform.db.tx() as tx:
                self._run = await catalog.ImportRun.start(tx, self._fingerprint(), str(self.file))
            self.outcome.resumed_after_line = self._run.line
        try:
            await self._read()
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise Failure(f"{self.file} is broken after line {self._last_line}: {error}") from None
        finally:
            if self._rejects is not None:
                self._rejects.close()
        if self._run is not None:
            async with self.platform.db.tx() as tx:
                await self._run.finish(tx)
        return self.outcome

    async def _read(self) -> None:
        currency = self.platform.config.text("SHOP_CURRENCY")
        skip = self.outcome.resumed_after_line
        for line in self.source.lines():
            if line.number <= skip:
                continue
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
        self.progress("products", self.source.size, self.source.size)

    async def _add(self, line: Line, product: catalog.NewProduct) -> None:
        names = {f"sku {product.sku}", f"id {product.external_id or product.sku}"}
        if names & self._names:
            await self._flush()
        self._names |= names
        self._batch.append((line, product))

    async def _flush(self) -> None:
        created = updated = 0
        async with self.platform.db.tx() as tx:
            outcomes = await self._loader.load(tx, [product for _, product in self._batch])
            levels: list[inventory.Level] = []
            for (line, _), outcome in zip(self._batch, outcomes, strict=True):
                if isinstance(outcome, str):
                    self._refused.append((line, outcome))
                    continue
                created += outcome.created
                updated += not outcome.created
                levels += [inventory.Level(v, outcome.product_id, sku, n) for v, (sku, n) in outcome.stock.items()]
            await inventory.set_levels(tx, levels)
            self._write_rejects()
            if self._run is not None:
                self._run.line = self._last_line
                self._run.created += created
                self._run.updated += updated
                self._run.rejected += len(self._refused)
                await self._run.note(tx)
            else:
                self._loader = catalog.Loader()
                tx.roll_back()
        self.outcome.created += created
        self.outcome.updated += updated
        self.outcome.rejected += len(self._refused)
        self._batch, self._refused, self._names = [], [], set()
        self.progress("products", self.source.position, self.source.size)

    def _write_rejects(self) -> None:
        for line, reason in sorted(self._refused, key=lambda one: one[0].number):
            if len(self.outcome.problems) < SHOWN:
                self.outcome.problems.append(Rejected(line.number, reason))
            if self._run is not None:
                if self._rejects is None:
                    path = Path(f"{self.file.name}.rejects.jsonl")
                    self._rejects = path.open("ab" if self.outcome.resumed_after_line else "wb")
                    self.outcome.rejects_file = str(path)
                row = {"line": line.number, "reason": reason, "row": line.raw}
                self._rejects.write(codec.encode(row) + b"\n")
                self._rejects.flush()

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(codec.encode(self.mapping))
        with self.file.open("rb") as source:
            while block := source.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
