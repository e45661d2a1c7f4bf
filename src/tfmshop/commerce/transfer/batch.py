"""One batch of an import: saved, compared with how it was, and remembered so that it can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from uuid import UUID

from tfmshop.commerce import catalog, inventory
from tfmshop.commerce.transfer.difference import ProductChange, difference
from tfmshop.commerce.transfer.read import Found
from tfmshop.commerce.transfer.store import NOTE_CHANGES, STOCK
from tfmshop.platform import codec
from tfmshop.platform.db import Refused, Tx, Unkept

Units = dict[UUID, dict[UUID, int]]
"""Free units by product and variant."""


@dataclass(slots=True)
class Saved:
    """What became of a batch, and the stock that its known products had."""

    loaded: list[catalog.Loaded] = field(default_factory=list)
    refused: list[Found] = field(default_factory=list)
    stock: Units = field(default_factory=dict)


def product_of(found: Found) -> catalog.NewProduct:
    """The product of rows that came to one."""
    assert found.product is not None  # noqa: S101 - a batch has nothing else
    return found.product


def names_of(product: catalog.NewProduct) -> set[str]:
    """What must differ within a batch: the id, and every SKU."""
    skus = {f"sku {sku}" for sku in [product.sku, *product.skus]}
    return {*skus, f"id {product.external_id or product.sku}"}


async def save(tx: Tx, loader: catalog.Loader, batch: list[Found]) -> Saved:
    """Load products and set their stock."""
    saved = Saved()
    outcomes = await loader.load(tx, [product_of(found) for found in batch])
    for found, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, str):
            saved.refused.append(replace(found, reason=outcome))
        else:
            saved.loaded.append(outcome)
    known = [one for one in saved.loaded if not one.created]
    await inventory.levels.hold(tx, [variant for one in known for variant in one.stock])
    saved.stock = await _stock(tx, [one.product_id for one in known])
    await inventory.add_levels(tx, _levels(one for one in saved.loaded if one.created))
    await inventory.set_levels(tx, _levels(known))
    return saved


def _levels(loaded: Iterable[catalog.Loaded]) -> Iterator[inventory.Level]:
    for one in loaded:
        for variant, (sku, units) in one.stock.items():
            yield inventory.Level(variant, one.product_id, sku, units)


async def save_singly(tx: Tx, loader: catalog.Loader, batch: list[Found]) -> Saved:
    """Load products one by one, for a batch with one in it that PostgreSQL refuses: only that one is left out."""
    saved = Saved()
    for found in batch:
        brands, categories = deepcopy(loader.brands), deepcopy(loader.categories)
        try:
            async with tx.savepoint():
                one = await save(tx, loader, [found])
        except (Refused, Unkept) as error:
            loader.brands, loader.categories = brands, categories
            reason = f"the database refuses it: {error}" if isinstance(error, Refused) else str(error)
            saved.refused.append(replace(found, reason=reason))
        else:
            saved.loaded += one.loaded
            saved.refused += one.refused
            saved.stock |= one.stock
    return saved


async def differences(tx: Tx, saved: Saved) -> list[ProductChange]:
    """What the batch changed, product by product."""
    after = await catalog.snapshot.take(tx, [one.product_id for one in saved.loaded])
    changes = []
    for one in saved.loaded:
        old = {_sku(one.before, variant): units for variant, units in saved.stock.get(one.product_id, {}).items()}
        new = old | dict(one.stock.values())
        if change := difference(one.product_id, one.before, after[one.product_id], old, new):
            changes.append(change)
    return changes


async def note_changes(tx: Tx, run_id: UUID, saved: Saved) -> None:
    """Remember how the products of a batch were, and the version they are at now."""
    before = [_with_stock(one, saved.stock) for one in saved.loaded]
    versions = [codec.decode(one.before)["product"]["version"] + 1 if one.before else 1 for one in saved.loaded]
    await tx.execute(NOTE_CHANGES, run_id, [one.product_id for one in saved.loaded], before, versions)


def _with_stock(one: catalog.Loaded, stock: Units) -> str | None:
    if one.before is None:
        return None
    had = stock.get(one.product_id, {})
    changes = {variant: had.get(variant, 0) - units for variant, (_, units) in one.stock.items()}
    return codec.encode_text(codec.decode(one.before) | {"stock": changes})


def _sku(before: str | None, variant: UUID) -> str:
    variants = codec.decode(before)["variants"] if before else []
    return next((str(one["sku"]) for one in variants if one["id"] == str(variant)), str(variant))


async def _stock(tx: Tx, products: list[UUID]) -> Units:
    units: Units = {}
    for row in await tx.rows(STOCK, products):
        units.setdefault(row["product_id"], {})[row["variant_id"]] = row["available"]
    return units
