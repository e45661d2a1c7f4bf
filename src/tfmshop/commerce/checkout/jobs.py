"""What checkout does by the clock, and what it has told to providers."""

from __future__ import annotations

from datetime import timedelta

from tfmshop.commerce import cart
from tfmshop.commerce.checkout.money import capture, refund, void
from tfmshop.commerce.checkout.release import LetGo
from tfmshop.commerce.checkout.sweep import sweep
from tfmshop.commerce.payments import Providers, ToCapture, refunds
from tfmshop.platform import codec
from tfmshop.platform.db import Database
from tfmshop.platform.idempotency import forget_old
from tfmshop.platform.jobs import job, schedule


def schedule_all(providers: Providers, key_age: timedelta) -> None:
    """Declare the schedules (unpaid orders each minute, old keys and carts each hour) and the jobs that move money."""

    @schedule("checkout.sweep", "* * * * *")
    async def sweep_unpaid(db: Database) -> None:
        await sweep(db, providers)

    @job("checkout.let_go", lane="money")
    async def let_go(db: Database, payload: bytes) -> None:
        await void(db, providers, codec.decode_as(payload, LetGo).order_id)

    @job("payments.capture", lane="money")
    async def take(db: Database, payload: bytes) -> None:
        await capture(db, providers, codec.decode_as(payload, ToCapture).order_id)

    @job("payments.refund", lane="money")
    async def give_back(db: Database, payload: bytes) -> None:
        await refund(db, providers, codec.decode_as(payload, refunds.ToRefund).refund_id)

    @schedule("checkout.forget", "7 * * * *")
    async def forget(db: Database) -> None:
        async with db.tx() as tx:
            await forget_old(tx, key_age)
        async with db.tx() as tx:
            await cart.closing.drop_expired(tx)
