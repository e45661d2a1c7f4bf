"""Taking an import back as a whole: what it changed is as before, what it added is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tfmshop.commerce import catalog, inventory
from tfmshop.commerce.transfer.errors import IN_THE_WAY, CannotUndo, ImportNotFound
from tfmshop.commerce.transfer.store import CHANGES, LOCK_RUN, SOLD, UNDONE
from tfmshop.platform import codec
from tfmshop.platform.db import Refused, Row, Tx

BATCH: Final = 500


@dataclass(slots=True)
class Undone:
    """What undoing did: products put back, taken out, and archived because they were sold meanwhile."""

    restored: int = 0
    removed: int = 0
    archived: int = 0


async def undo(tx: Tx, run_id: UUID, *, force: bool = False) -> Undone:
    """Take an import back in one transaction, in batches.

    Added products that were sold meanwhile are archived. `ImportNotFound`; `CannotUndo` when it was undone before, when
    what a product had is another's now, or, unless `force`, when it did not come to its end (then it never will), or a
    product was changed since (then that change is lost).
    """
    run = await tx.row(LOCK_RUN, run_id)
    if run is None:
        raise ImportNotFound
    if run["undone_at"] is not None:
        raise CannotUndo(why="it was undone before")
    if run["finished_at"] is None and not force:
        raise CannotUndo(why="it did not come to its end: what went in is only taken back by force")
    done = Undone()
    after = UUID(int=0)
    while batch := await tx.rows(CHANGES, run_id, after, BATCH):
        try:
            await _undo(tx, batch, done, force=force)
        except Refused as error:
            raise CannotUndo(why=IN_THE_WAY.get(error.constraint, error.constraint)) from None
        after = batch[-1]["product_id"]
    await catalog.snapshot.sweep(tx, run["made_categories"], run["made_brands"])
    await tx.execute(UNDONE, run_id)
    return done


async def _undo(tx: Tx, batch: list[Row], done: Undone, *, force: bool) -> None:
    await catalog.keep.lock(tx, *(row["product_id"] for row in batch))
    now = {id: codec.decode(text) for id, text in
           (await catalog.snapshot.take(tx, [row["product_id"] for row in batch])).items()}  # fmt: skip
    for row in batch:
        there = now.get(row["product_id"])
        if there and there["product"]["version"] != row["after_version"] and not force:
            raise CannotUndo(why=f"product {there['product']['slug']} was changed since")
    before = {row["product_id"]: row["before"] for row in batch if row["before"] and row["product_id"] in now}
    added = [row["product_id"] for row in batch if not row["before"] and row["product_id"] in now]
    variants = {UUID(v["id"]): id for id in [*before, *added] for v in now[id]["variants"]}
    await inventory.levels.hold(tx, variants)
    sold = {row["variant_id"] for row in await tx.rows(SOLD, list(variants))}
    changes: dict[UUID, int] = {}
    for text in before.values():
        was = codec.decode(text)
        changes |= {UUID(variant): units for variant, units in was["stock"].items() if units}
    await inventory.change_levels(tx, changes)
    again = await catalog.snapshot.restore(tx, before, kept=sorted(sold))
    await inventory.add_levels(tx, [inventory.Level(variant, product, sku, 0) for variant, product, sku in again])
    await catalog.keep.refresh_stock(tx, sorted(before), inventory.levels.stocked)
    archived = {variants[variant] for variant in sold} & set(added)
    await catalog.snapshot.archive(tx, sorted(archived))
    await catalog.snapshot.erase(tx, [id for id in added if id not in archived])
    done.restored += len(before)
    done.removed += len(added) - len(archived)
    done.archived += len(archived)
