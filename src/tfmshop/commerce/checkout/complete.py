"""A cart becomes an order: reserve, pay, settle. The only verb that commits, because it must not pay inside a
transaction.

Statements of an ordinary purchase: `platform.begin_key`, `cart.close`, `orders.place` and `inventory.take` in one
transaction (before them `promotions.redeem`, if an offer is limited; stock last, so that its lock is held shortest),
then the payment, then `orders.settle` alone.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

from tfmshop.commerce import cart, inventory, orders, pricing, promotions
from tfmshop.commerce.checkout.errors import CheckoutExpired, EmptyCart, Incomplete, PriceChanged, Unavailable
from tfmshop.commerce.checkout.purchase import Presenter, Purchase
from tfmshop.commerce.checkout.release import let_go, release
from tfmshop.commerce.payments import Authorization, Challenge, PaymentDeclined, PaymentUnknown, Provider
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.idempotency import Answer, Key, begin, end_lease, remember
from tfmshop.platform.security.access import digest

AT_ONCE: Final = 4
"""Connections that checkouts of one process use at once: a rush leaves the others to those who browse."""
PATIENCE_SECONDS: Final = 10.0
"""How long a checkout waits for its turn before the shop says that it is busy."""
AFTER_PAYMENT = timedelta(seconds=5)
"""How much longer than the payment may take a crashed sender's lease lasts."""


async def complete(
    db: Database, provider: Provider, purchase: Purchase, present: Presenter, *, payment_seconds: float
) -> Answer:
    """Order what is in the cart, once for each key.

    A declined payment is an answer, and the cart is open again. A challenge is not the last answer: the same request,
    sent again once the buyer was at the provider's page, gives the order. `PaymentUnknown`: the same request, sent
    again, finds out. Nothing changed after `CartNotFound`, `CartOrdered`, `EmptyCart`, `Unavailable`, `Incomplete`,
    `PriceChanged`, `CouponInvalid`, `CouponExhausted`, `NotDeliverable`, `OutOfStock`, `KeyReused`, `StillRunning`,
    `UnknownPaymentToken`.
    """
    provider.check(purchase.payment_token)
    db = db.share("checkout", maximum=AT_ONCE, patience_seconds=PATIENCE_SECONDS)
    order_id = ids.new()
    lease = timedelta(seconds=payment_seconds) + AFTER_PAYMENT

    async def reserve(tx: Tx) -> orders.Order | Answer | UUID:
        begun = await begin(tx, purchase.key, order_id, lease)
        return await _place(tx, order_id, purchase) if begun is None else begun

    reserved = await db.transact(reserve)
    if isinstance(reserved, Answer):
        return reserved
    if isinstance(reserved, UUID):
        taken_up = await _take_up(db, reserved, purchase, present)
        if isinstance(taken_up, Answer):
            return taken_up
        reserved = taken_up
    return await _pay(db, provider, reserved, purchase, present, payment_seconds)


async def _place(tx: Tx, order_id: UUID, purchase: Purchase) -> orders.Order:
    closed = await cart.close(tx, purchase.cart_id, purchase.owner, email=purchase.email, address=purchase.address,
                              shipping_method=purchase.shipping_method)  # fmt: skip
    if closed.missing:
        raise Unavailable
    if not closed.lines:
        raise EmptyCart
    if closed.email is None or closed.address is None:
        raise Incomplete(missing="an e-mail address" if closed.email is None else "an address")
    sums = closed.quote
    if not sums.served:
        raise pricing.NotDeliverable(why="no shipping method serves it")
    if closed.coupon is not None and closed.coupon not in {offer.code for offer in sums.offers}:
        raise promotions.CouponInvalid(why=_why_not(sums, closed.coupon))
    if purchase.expected_total is not None and purchase.expected_total != sums.total:
        raise PriceChanged(total=sums.total, expected=purchase.expected_total)
    buyer = orders.Buyer(purchase.owner.customer_id, closed.email, closed.address)
    await promotions.redeem(tx, order_id, sums.offers, buyer.mark)
    order = await orders.place(
        tx, id=order_id, cart_id=purchase.cart_id, buyer=buyer, currency=closed.currency, lines=closed.lines,
        sums=sums, provider=purchase.provider_name, shipping_method=sums.method,
        reductions=sums.discounts,
    )  # fmt: skip
    wanted = {line.variant_id: line.quantity for line in closed.lines}
    await inventory.take(tx, order_id, wanted, cart_id=purchase.cart_id)
    return order


def _why_not(sums: cart.Quote, coupon: str) -> str:
    return next((reason.why for reason in sums.reasons if reason.code == coupon), "there is no such coupon")


async def _take_up(db: Database, order_id: UUID, purchase: Purchase, present: Presenter) -> orders.Order | Answer:
    """The order that a crash left between its two transactions, or its answer when the sweeper finished it."""

    async def look(tx: Tx) -> orders.Order | Answer:
        order, customer = await orders.load(tx, order_id)
        if order.status == orders.OrderStatus.PLACED:
            return order
        if order.status == orders.OrderStatus.CANCELLED:
            raise CheckoutExpired
        answer = present.order(order if customer else await orders.paying.give_token(tx, order))
        await remember(tx, purchase.key, answer)
        return answer

    return await db.transact(look)


async def _pay(
    db: Database,
    provider: Provider,
    order: orders.Order,
    purchase: Purchase,
    present: Presenter,
    seconds: float,
) -> Answer:
    try:
        outcome = await asyncio.wait_for(
            provider.authorize(str(order.id), order.total, purchase.payment_token), timeout=seconds
        )
    except PaymentDeclined as declined:
        answer = present.declined(declined)
        await db.transact(lambda tx: _decline(tx, order.id, purchase.key, answer))
        return answer
    except (TimeoutError, OSError):
        async with db.tx() as tx:
            await end_lease(tx, purchase.key)
        raise PaymentUnknown from None
    if isinstance(outcome, Challenge):
        async with db.tx() as tx:
            await orders.paying.mark(tx, order.id, "action_required", of=["pending"])
            await end_lease(tx, purchase.key)
        return present.challenge(order, outcome)
    return await _settle(db, order, outcome, purchase, present)


async def _settle(
    db: Database, order: orders.Order, authorization: Authorization, purchase: Purchase, present: Presenter
) -> Answer:
    customer = purchase.owner.customer_id
    token = None if customer else ids.token()
    paid = orders.Paid(
        authorization.reference,
        clock.now(),
        str(customer) if customer else "guest",
        token,
        digest(token) if token else None,
    )
    answer = present.order(orders.paying.as_paid(order, paid))
    try:
        async with db.read() as tx:
            await orders.settle(tx, order.id, paid, key=purchase.key, answer=answer)
    except orders.CannotMove:
        return await _settled_elsewhere(db, order.id, purchase, present)
    return answer


async def _settled_elsewhere(db: Database, order_id: UUID, purchase: Purchase, present: Presenter) -> Answer:
    """What to say when the sweeper was quicker: the order it settled; or nothing, and the money is let go."""
    try:
        taken_up = await _take_up(db, order_id, purchase, present)
    except CheckoutExpired:
        async with db.tx() as tx:
            await let_go(tx, purchase.provider_name, order_id)
        raise
    assert isinstance(taken_up, Answer)  # noqa: S101 - an order that cannot be settled is not unpaid
    return taken_up


async def _decline(tx: Tx, order_id: UUID, key: Key, answer: Answer) -> None:
    await release(tx, order_id, payment_status="declined", why="payment declined")
    await remember(tx, key, answer)
