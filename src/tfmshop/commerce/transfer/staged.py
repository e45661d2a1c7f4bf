"""Imports that staff send, look at, let go in and take back: each step is a job, which a crash does not lose."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from tfmshop.commerce.transfer.errors import ImportNotFound, NotNow
from tfmshop.commerce.transfer.mapping import Mapping
from tfmshop.commerce.transfer.outcome import Outcome
from tfmshop.commerce.transfer.store_staged import BEGIN, KEEP, LIST, SHOW
from tfmshop.platform import codec, cursors, ids
from tfmshop.platform.db import Tx
from tfmshop.platform.jobs import enqueue

STEP: Final = "transfer.step"
"""The job that does what is to be done next."""
State = Literal["trying", "tried", "applying", "applied", "undoing", "undone", "failed"]


class Staged(msgspec.Struct, frozen=True):
    """An import: `done` of the `size` bytes of its file are read, and what it `created`, `updated` and `rejected` in
    the catalogue so far. `why` tells what kept the last step from its end.
    """

    id: UUID
    file: str
    state: State
    size: int
    done: int
    created: int
    updated: int
    rejected: int
    why: str | None
    created_at: datetime
    changed_at: datetime


class Shown(Staged, frozen=True):
    """An import with what it would do (`tried`: counts, problems, the first differences), what it did (`applied`: the
    problems of the last stretch) and what taking it back did (`undone`).
    """

    tried: Any
    applied: Any
    undone: Any


async def keep(tx: Tx, file: str, content: bytes, mapping: Mapping, currency: str) -> UUID:
    """Keep a file, and have it tried: its id."""
    id = ids.new()
    await tx.execute(KEEP, id, file, codec.encode_text(mapping), currency, content)
    await enqueue(tx, STEP, id)
    return id


async def show(tx: Tx, id: UUID) -> Shown:
    """How far an import is. `ImportNotFound`."""
    row = await tx.row(SHOW, id)
    if row is None:
        raise ImportNotFound
    *told, tried, applied, undone = row
    return Shown(*told, *(codec.as_is(text) if text else None for text in (tried, applied, undone)))


async def newest(tx: Tx, limit: int, before: tuple[datetime, UUID] = cursors.AFTER_ALL) -> list[Staged]:
    """The imports that came last, the newest first."""
    return [Staged(*row) for row in await tx.rows(LIST, *before, limit)]


async def apply(tx: Tx, id: UUID) -> State:
    """Have it done what was tried, or go on after a failure; the state before. `ImportNotFound`, `NotNow`."""
    return await _begin(tx, id, "applying", force=False)


async def take_back(tx: Tx, id: UUID, *, force: bool) -> State:
    """Have it undone as a whole; `force` as of `undo`; the state before. `ImportNotFound`, `NotNow`."""
    return await _begin(tx, id, "undoing", force=force)


async def _begin(tx: Tx, id: UUID, state: State, *, force: bool) -> State:
    before: State | None = await tx.value(BEGIN, id, state, force)
    if before is None:
        raise NotNow(state=(await show(tx, id)).state)
    await enqueue(tx, STEP, id)
    return before


def told(outcome: Outcome) -> str:
    """What a run found, as JSON."""
    return codec.encode_text(
        {"created": outcome.created, "updated": outcome.updated, "rejected": outcome.rejected,
         "problems": outcome.problems, "unused": outcome.unused, "changes": outcome.changes}
    )  # fmt: skip
