"""Money that goes back: asked for, given, and now and then sent back by the buyer's bank."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from tfmshop.commerce.payments.errors import RefundNotFound, RefundTooLarge
from tfmshop.commerce.payments.ledger import balance
from tfmshop.commerce.payments.port import Failed
from tfmshop.commerce.payments.store import ASK_REFUND, REFUND, REFUND_AGAIN, REFUND_FAILED, REFUNDED
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import ids, jobs
from tfmshop.platform.db import Tx


class ToRefund(msgspec.Struct, frozen=True):
    """A refund that a provider is to be told of."""

    refund_id: UUID


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as it was asked for; `done` once the provider has made it, `failed` when it came back after that."""

    order_id: UUID
    amount: Money
    provider: str
    done: bool
    failed: bool


async def ask(tx: Tx, order_id: UUID, amount: int, *, who: str, why: str) -> UUID:
    """Have a part of an order's money given back by a job; the refund's id. `RefundTooLarge`.

    The caller holds the order's row, so that two refunds of one order come one after the other.
    """
    taken, back = await balance(tx, order_id)
    if amount > taken - back:
        raise RefundTooLarge(left=taken - back)
    id = ids.new()
    await tx.execute(ASK_REFUND, id, order_id, amount, who, why)
    await jobs.enqueue(tx, "payments.refund", ToRefund(id))
    return id


async def find(tx: Tx, id: UUID) -> Refund:
    """A refund that was asked for. `RefundNotFound`."""
    row = await tx.row(REFUND, id)
    if row is None:
        raise RefundNotFound
    amount = Money(row["amount"], row["currency"])
    return Refund(row["order_id"], amount, row["provider"], row["done_at"] is not None, row["failed"] is not None)


async def given(tx: Tx, id: UUID, reference: str) -> bool:
    """Note that the provider gave the money back; whether that was not known yet."""
    return await tx.execute(REFUNDED, id, reference) == 1


async def came_back(tx: Tx, order_id: UUID, failed: Failed) -> bool:
    """Note that money which was given back came back to the provider; whether that was not known yet."""
    return await tx.execute(REFUND_FAILED, failed.id, order_id, failed.reference, failed.why) == 1


async def again(tx: Tx, id: UUID) -> None:
    """Have the job give back what failed to arrive."""
    await tx.execute(REFUND_AGAIN, id)
    await jobs.enqueue(tx, "payments.refund", ToRefund(id))
