"""Forgetting a person (GDPR, article 17), so that the books stay right."""

from __future__ import annotations

from tfmshop.commerce import accounts, cart, news, orders, reviews
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.passwords import Passwords


class OrdersUnderWay(
    ShopError, kind=Kind.CONFLICT, code="orders_under_way", says="{orders} orders are not at their end yet."
):
    """The account can be erased once they were delivered, cancelled or refunded."""

    orders: int


async def erase(db: Database, passwords: Passwords, viewer: Viewer, *, password: str) -> None:
    """Erase the signed-in person, who proves by password that it is them. `InvalidCredentials`, `OrdersUnderWay`,
    `SignInRequired`.

    Orders keep what was bought and what was paid, reviews what was thought of the product; who it was is gone. Invoices
    stay as they were written, because the law wants them kept.
    """
    async with db.read() as tx:
        person = await accounts.me(tx, viewer.id)
    await accounts.sign_in(db, passwords, email=person.email, password=password)

    async def work(tx: Tx) -> None:
        await accounts.sessions.must_live(tx, viewer)
        if waiting := await orders.forget.under_way(tx, viewer.id):
            raise OrdersUnderWay(orders=waiting)
        await orders.forget.erase(tx, viewer.id)
        await cart.closing.erase(tx, viewer.id)
        await reviews.erase(tx, viewer.id)
        await news.erase(tx, person.email)
        await accounts.book.erase(tx, viewer.id)

    await db.transact(work)
