"""Forgetting a person (GDPR, article 17), so that the books stay right."""

from __future__ import annotations

from tfmshop.commerce import accounts, cart, news, orders, reviews
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import Viewer


class OrdersUnderWay(
    ShopError, kind=Kind.CONFLICT, code="orders_under_way", says="{orders} orders are not at their end yet."
):
    """The account can be erased once they were delivered, cancelled or refunded."""

    orders: int


async def erase(caution: accounts.Caution, viewer: Viewer, *, password: str) -> None:
    """Erase the signed-in person, who proves by password that it is them. `InvalidCredentials`, `OrdersUnderWay`,
    `SignInRequired`, `LastAdmin`.

    Orders keep what was bought and what was paid, reviews what was thought of the product; who it was is gone. Invoices
    stay as they were written, because the law wants them kept.
    """
    await accounts.proofs.proven(caution, viewer.id, password)

    async def work(tx: Tx) -> None:
        await accounts.sessions.must_live(tx, viewer)
        await accounts.staff.may_go(tx, viewer.id)
        await cart.closing.hold_all(tx, viewer.id)
        if waiting := await orders.forget.under_way(tx, viewer.id):
            raise OrdersUnderWay(orders=waiting)
        bought = await orders.forget.erase(tx, viewer.id)
        await cart.closing.erase(tx, viewer.id)
        await reviews.erase(tx, viewer.id)
        await news.erase(tx, await accounts.email.ever(tx, viewer.id), bought)
        await accounts.book.erase(tx, viewer.id)

    await caution.db.transact(work)
