"""The steps of an import that staff sent: tried, applied, undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import structlog

from tfmshop.commerce.transfer.bring_in import Import
from tfmshop.commerce.transfer.errors import CannotImport
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.commerce.transfer.outcome import Outcome
from tfmshop.commerce.transfer.progress import noting
from tfmshop.commerce.transfer.staged import STEP, told
from tfmshop.commerce.transfer.store_staged import CONTENT, END, FORGET, TO_DO
from tfmshop.commerce.transfer.undo import undo
from tfmshop.commerce.transfer.values import clean
from tfmshop.platform import codec, jobs
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Database, Row, Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.files.rows import RowFile
from tfmshop.platform.jobs import job, schedule

log = structlog.get_logger("jobs")
_ONE = asyncio.Lock()

KEPT: Final = timedelta(days=7)
MOST_SECONDS: Final = 1800
"""How long a step may take."""
LONGEST_WHY: Final = 1000
MOST_UNPACKED: Final = 512 << 20
"""Bytes of a file, unpacked: a larger one is brought in by the command."""


@job(STEP, lane="files", may_take=MOST_SECONDS)
async def step(db: Database, payload: bytes) -> None:
    """Do what an import waits for; again from where it was, when it was cut off. One at a time in a process."""
    id = codec.decode_as(payload, UUID)
    async with _ONE:
        async with db.read() as tx:
            staged = await tx.row(TO_DO, id)
        if staged is None or (do := _DO.get(staged["state"])) is None:
            return
        try:
            await do(db, id, staged)
        except ShopError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            await _fail(db, id, staged, str(error))
        except Exception as error:
            log.error("an import failed by a mistake", id=str(id), exc_info=error)
            await _fail(db, id, staged, f"A mistake of ours, which was logged ({type(error).__name__}).")


@schedule("transfer.forget_files", "41 4 * * *")
async def forget_files(db: Database) -> None:
    """Drop the content of files that nobody went on with."""
    async with db.tx() as tx:
        await tx.execute(FORGET, KEPT)


async def _try(db: Database, id: UUID, staged: Row) -> None:
    await _end(db, id, staged, "tried", told(await _run(db, id, staged, dry_run=True)))


async def _apply(db: Database, id: UUID, staged: Row) -> None:
    outcome = None if staged["finished"] else told(await _run(db, id, staged, dry_run=False))
    await _end(db, id, staged, "applied", outcome)


async def _undo(db: Database, id: UUID, staged: Row) -> None:
    async def work(tx: Tx) -> None:
        done = await undo(tx, id, force=staged["force"])
        await tx.execute(END, id, staged["changed_at"], "undone", None, codec.encode_text(done))

    await db.transact(work)


_DO: Final = {"trying": _try, "applying": _apply, "undoing": _undo}


async def _end(db: Database, id: UUID, staged: Row, state: str, outcome: str | None) -> None:
    """Note how a step came out, unless somebody else did meanwhile."""
    async with db.tx() as tx:
        await tx.execute(END, id, staged["changed_at"], state, None, outcome)


async def _fail(db: Database, id: UUID, staged: Row, why: str) -> None:
    """Note why a step did not come to its end; what cannot be taken back is still there."""
    async with db.read() as tx:
        now = await tx.row(TO_DO, id)
    state = "applied" if now is not None and now["finished"] else "failed"
    async with db.tx() as tx:
        await tx.execute(END, id, staged["changed_at"], state, clean(why)[:LONGEST_WHY], None)


def _bounded() -> Callable[..., None]:
    """What is called after each batch: `CannotImport` when it is too much, and `jobs.Stopping` when the runner ends."""
    until = monotonic() + MOST_SECONDS

    def may_go_on(*_: object) -> None:
        jobs.go_on()
        if monotonic() > until:
            raise CannotImport(
                why=f"It takes more than {MOST_SECONDS} seconds: bring it in by the command, or in parts."
            )

    return may_go_on


async def _run(db: Database, id: UUID, staged: Row, *, dry_run: bool) -> Outcome:
    with TemporaryDirectory() as folder:
        file = Path(folder) / staged["file"]
        async with db.read() as tx:
            content = await tx.value(CONTENT, id)
        await asyncio.to_thread(file.write_bytes, content)
        del content
        mapping = codec.decode_as(staged["mapping"], Mapping)
        source = RowFile(file, MOST_UNPACKED)
        bringing = Import(db, file, source, mapping, staged["currency"], dry_run, _bounded(), id)
        async with noting(db, id, source):
            return await bringing.run()
