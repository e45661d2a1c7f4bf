"""What was taken, kept by order."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tfmshop.commerce.payments.store import BALANCE, CAPTURED
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import jobs
from tfmshop.platform.db import Tx


class ToCapture(msgspec.Struct, frozen=True):
    """An order whose money is to be taken."""

    order_id: UUID


async def ask_capture(tx: Tx, order_id: UUID) -> None:
    """Have the money of an order taken by a job, in the transaction of whatever makes it ours."""
    await jobs.enqueue(tx, "payments.capture", ToCapture(order_id))


async def captured(tx: Tx, order_id: UUID, provider: str, reference: str, amount: Money) -> None:
    """Note that the money of an order was taken; a second time changes nothing."""
    await tx.execute(CAPTURED, order_id, provider, reference, amount.amount, amount.currency)


async def balance(tx: Tx, order_id: UUID) -> tuple[int, int]:
    """What was taken for an order and what of it goes back, in minor units."""
    row = await tx.row(BALANCE, order_id)
    return (row["captured"], row["refunded"]) if row else (0, 0)
