"""Everything that the shop knows of a person, as they may have it (GDPR, article 15 and 20)."""

from __future__ import annotations

import msgspec

from tfmshop.commerce import accounts, cart, orders, reviews
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import Viewer

AT_ONCE = 100


class Known(msgspec.Struct, frozen=True):
    """What is known of a person."""

    account: accounts.staff.Person
    asked_emails: list[accounts.email.AskedEmail]
    addresses: list[accounts.book.Kept]
    wishlist: list[accounts.book.Wish]
    sessions: list[accounts.sessions.Session]
    identities: list[accounts.identities.Identity]
    cart: cart.Cart | None
    returns: list[orders.returns.Return]
    orders: list[orders.Order]
    reviews: list[reviews.Review]


async def export(tx: Tx, viewer: Viewer) -> Known:
    """Everything about the signed-in person. `SignInRequired` when the session is over."""
    await accounts.sessions.must_be_current(tx, viewer)
    bought: list[orders.Order] = []
    cursor = None
    while True:
        page = await orders.browse.own(tx, viewer.id, status=None, cursor=cursor, limit=AT_ONCE)
        bought += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return Known(
        await accounts.staff.show(tx, viewer.id), await accounts.email.asked(tx, viewer.id),
        await accounts.book.addresses(tx, viewer.id), await accounts.book.wishes(tx, viewer.id),
        await accounts.sessions.remembered(tx, viewer), await accounts.identities.listed(tx, viewer.id),
        await cart.find_open(tx, viewer.id), await orders.returns.of_customer(tx, viewer.id), bought,
        await reviews.of_customer(tx, viewer.id),
    )  # fmt: skip
