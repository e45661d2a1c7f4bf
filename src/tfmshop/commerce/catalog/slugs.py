"""Addresses of new products: from the wanted slug or the title, made unique where something else has it."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.catalog.model import NewProduct
from tfmshop.commerce.catalog.store import TAKEN_SLUGS
from tfmshop.commerce.vocabulary import slug
from tfmshop.platform import ids
from tfmshop.platform.db import Tx

RESERVED = frozenset({"featured"})
"""Words that the address of a list has where a product's has its slug."""


def may_be_slug(name: str) -> bool:
    """Whether a product can be reached by that slug: no list has it, and it does not look like an id."""
    return name not in RESERVED and ids.parse(name) is None


async def free_slugs(tx: Tx, new: list[tuple[NewProduct, UUID]]) -> dict[UUID, str]:
    """A slug for each new product that no product has or had."""
    wanted = {id: product.slug or slug(product.title) or "product" for product, id in new}
    tails = {id: slug(product.external_id or product.sku) or id.hex[-12:] for product, id in new}
    candidates = {*wanted.values(), *(f"{wanted[id]}-{tails[id]}" for id in wanted)}
    taken = {row["slug"] for row in await tx.rows(TAKEN_SLUGS, list(candidates))}
    free: dict[UUID, str] = {}
    for _, id in new:
        name = wanted[id]
        if name in taken or not may_be_slug(name):
            name = f"{name}-{tails[id]}"
        if name in taken:
            name = f"{wanted[id]}-{id.hex[-12:]}"
        taken.add(name)
        free[id] = name
    return free
