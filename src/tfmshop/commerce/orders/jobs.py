"""News about orders, worked on later."""

from __future__ import annotations

from tfmshop.commerce import payments
from tfmshop.commerce.orders.events import OrderPaid
from tfmshop.commerce.orders.sales import count_sales
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import job


@job("orders.paid", lane="money")
async def paid(db: Database, payload: bytes) -> None:
    """An order is paid: count its sales, and have its money taken."""
    news = codec.decode_as(payload, OrderPaid)

    async def work(tx: Tx) -> None:
        if await count_sales(tx, news.order_id):
            await payments.ask_capture(tx, news.order_id)

    await db.transact(work)
