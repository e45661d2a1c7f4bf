"""What was taken and what goes back, kept by order."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from tfmshop.commerce.payments.errors import RefundTooLarge
from tfmshop.commerce.payments.store import ASK_REFUND, BALANCE, CAPTURED, REFUND, REFUNDED
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import ids, jobs
from tfmshop.platform.db import Tx


class ToCapture(msgspec.Struct, frozen=True):
    """An order whose money is to be taken."""

    order_id: UUID


class ToRefund(msgspec.Struct, frozen=True):
    """A refund that a provider is to be told of."""

    refund_id: UUID


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as it was asked for; `done` once the provider has made it."""

    order_id: UUID
    amount: Money
    provider: str
    done: bool


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


async def ask_refund(tx: Tx, order_id: UUID, amount: int, *, who: str, why: str) -> UUID:
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


async def refund_of(tx: Tx, id: UUID) -> Refund:
    """A refund that was asked for."""
    row = await tx.row(REFUND, id)
    assert row is not None  # noqa: S101 - the job was enqueued with it
    return Refund(
        row["order_id"], Money(row["amount"], row["currency"]), row["provider"], row["done_at"] is not None
    )  # fmt: skip


async def refunded(tx: Tx, id: UUID, reference: str) -> bool:
    """Note that the provider gave the money back; whether that was not known yet."""
    return await tx.execute(REFUNDED, id, reference) == 1
