"""The pictures of one product: added, described, put in order, taken out."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tfmshop.commerce.catalog.edit import held
from tfmshop.commerce.catalog.errors import PictureNotFound, ProductNotFound
from tfmshop.commerce.catalog.store_edit import (
    ADD_PICTURE,
    DESCRIBE_PICTURE,
    DROP_PICTURE,
    LEAD_PICTURE,
    NEXT_PICTURE,
    ORDER_PICTURES,
    PICTURES_OF,
)
from tfmshop.platform import ids
from tfmshop.platform.db import Tx


class Picture(msgspec.Struct, frozen=True):
    """A picture as staff see it; `sku` is that of the variant that it is of."""

    id: UUID
    url: str
    alt: str
    sku: str | None


async def of(tx: Tx, product: UUID) -> list[Picture]:
    """The pictures of a product in their order."""
    return [Picture(*row) for row in await tx.rows(PICTURES_OF, product)]


async def add(tx: Tx, id_or_slug: str, url: str, alt: str, sku: str | None) -> UUID:
    """Add a picture after the others, of one variant if `sku` says so; its id. `ProductNotFound`."""
    product = await held(tx, id_or_slug)
    picture: UUID | None = await tx.value(ADD_PICTURE, ids.new(), product, url, alt, sku)
    if picture is None:
        raise ProductNotFound
    await tx.execute(LEAD_PICTURE, picture)
    return picture


async def describe(tx: Tx, picture: UUID, alt: str) -> str:
    """Say in words what a picture shows; what was said before. `PictureNotFound`."""
    product = await held(tx, picture=picture)
    before: str = await tx.value(DESCRIBE_PICTURE, picture, alt)
    await tx.execute(NEXT_PICTURE, product)
    return before


async def order(tx: Tx, product: UUID, pictures: list[UUID]) -> None:
    """Put the pictures of a product that the caller holds in this order, the first into lists; those that are not named
    come after. `PictureNotFound` when one is not the product's.
    """
    wanted = list(dict.fromkeys(pictures))
    placed = await tx.rows(ORDER_PICTURES, product, wanted)
    if sum(row["named"] for row in placed) < len(wanted):
        raise PictureNotFound
    await tx.execute(NEXT_PICTURE, product)


async def drop(tx: Tx, picture: UUID) -> None:
    """Take a picture out; its product shows the next one in lists. `PictureNotFound`."""
    product = await held(tx, picture=picture)
    if await tx.value(DROP_PICTURE, picture) is None:
        raise PictureNotFound
    await tx.execute(NEXT_PICTURE, product)
