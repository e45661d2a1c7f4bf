"""Money that goes back: asked for, given, and now and then sent back by the buyer's bank."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tfmshop.commerce.payments.errors import RefundNotFound, RefundTooLarge
from tfmshop.commerce.payments.ledger import balance
from tfmshop.commerce.payments.store import ASK_REFUND, REFUND, REFUND_AGAIN, REFUND_FAILED, REFUNDED
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import ids, jobs
from tfmshop.platform.db import Tx


class ToRefund(msgspec.Struct, frozen=True):
    """A refund that a provider is to be told of."""

    refund_id: UUID


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as it was asked for; `done` once the provider has made it, `failed` when it did not or it came back, and
    then `tries` is how often staff had it given again.
    """

    id: UUID
    order_id: UUID
    amount: Money
    provider: str
    done: bool
    failed: bool
    tries: int

    @property
    def key(self) -> str:
        """What the provider knows this try by."""
        return f"{self.id}:{self.tries}" if self.tries else str(self.id)


async def ask(tx: Tx, order_id: UUID, amount: Money, *, who: str, why: str) -> UUID:
    """Have a part of an order's money given back by a job; the refund's id. `RefundTooLarge`.

    The caller holds the order's row, so that two refunds of one order come one after the other.
    """
    taken, back = await balance(tx, order_id)
    if amount.amount > taken - back:
        raise RefundTooLarge(left=taken - back, currency=amount.currency)
    id = ids.new()
    await tx.execute(ASK_REFUND, id, order_id, amount.amount, who, why)
    await enqueue(tx, id)
    return id


async def find(tx: Tx, id: UUID) -> Refund:
    """A refund that was asked for. `RefundNotFound`."""
    row = await tx.row(REFUND, id)
    if row is None:
        raise RefundNotFound
    amount, done, failed = Money(row["amount"], row["currency"]), row["done_at"], row["failed"]
    return Refund(id, row["order_id"], amount, row["provider"], done is not None, failed is not None, row["tries"])


async def of_key(tx: Tx, key: str) -> Refund | None:
    """The refund whose present try has that key; None for another's, and for a try before."""
    id = ids.parse(key.partition(":")[0])
    with suppress(RefundNotFound):
        if id is not None and (found := await find(tx, id)).key == key:
            return found
    return None


async def given(tx: Tx, refund: Refund, reference: str) -> bool:
    """Note that the money of this try was given back; whether that was not known yet."""
    return await tx.execute(REFUNDED, refund.id, reference, refund.tries) == 1


async def failed(tx: Tx, refund: Refund, why: str) -> bool:
    """Note that the money of this try was not given back, or came back; whether that was not known yet."""
    return await tx.execute(REFUND_FAILED, refund.id, why, refund.tries) == 1


async def again(tx: Tx, refund: Refund) -> Refund:
    """Begin another try of one that failed; whoever calls has it given, by `enqueue` or otherwise."""
    await tx.execute(REFUND_AGAIN, refund.id)
    return await find(tx, refund.id)


async def enqueue(tx: Tx, id: UUID) -> None:
    """Have a job tell the provider of a refund."""
    await jobs.enqueue(tx, "payments.refund", ToRefund(id))
