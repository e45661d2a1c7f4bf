"""Forgetting who bought, and keeping what was bought: the books stay right."""

from __future__ import annotations

from uuid import UUID

from tfmshop.commerce.orders.store_editing import ERASE, UNDER_WAY
from tfmshop.platform.db import Tx


async def under_way(tx: Tx, customer: UUID) -> int:
    """How many of a customer's orders are not at their end yet."""
    return int(await tx.value(UNDER_WAY, customer))


async def erase(tx: Tx, customer: UUID) -> list[UUID]:
    """Take e-mail and postal address off a customer's orders, remove what staff noted about them, and say which they
    are; country and region stay, on which taxes hang.

    Invoices stay as they were written: the law wants them kept.
    """
    return [row["id"] for row in await tx.rows(ERASE, customer)]
