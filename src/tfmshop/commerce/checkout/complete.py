"""A cart becomes an order: reserve, pay, settle. The only verb that commits, because it must not pay inside a
transaction.

Statements of an ordinary purchase: those of `checkout/place.py` in one transaction, then the payment, then
`orders.settle` alone.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

from msgspec import structs

from tfmshop.commerce import orders
from tfmshop.commerce.checkout.errors import CheckoutExpired
from tfmshop.commerce.checkout.money import FREE, let_go_of_cancelled
from tfmshop.commerce.checkout.place import Placing
from tfmshop.commerce.checkout.purchase import Presenter, Purchase
from tfmshop.commerce.checkout.release import release
from tfmshop.commerce.checkout.till import Till
from tfmshop.commerce.payments import Authorization, Challenge, Payment, PaymentDeclined, PaymentUnknown, Provider
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Tx
from tfmshop.platform.idempotency import Answer, Key, end_lease, remember

AFTER_PAYMENT = timedelta(seconds=5)
"""How much longer than the payment may take a crashed sender's lease lasts."""


async def complete(
    till: Till, provider: Provider, purchase: Purchase, present: Presenter, *, payment_seconds: float
) -> Answer:
    """Order what is in the cart, once for each key.

    A declined payment is an answer, and the cart is open again. A challenge is not the last answer: the same request,
    sent again once the buyer was at the provider's page, gives the order. `PaymentUnknown`: the same request, sent
    again, finds out. Nothing changed after `CartNotFound`, `CartOrdered`, `EmptyCart`, `Unavailable`, `Incomplete`,
    `PriceChanged`, `CouponInvalid`, `CouponExhausted`, `NotDeliverable`, `MethodNotFound`, `OutOfStock`, `KeyReused`,
    `StillRunning`, `UnknownPaymentToken`.
    """
    provider.check(purchase.payment_token)
    begun = await till.place(Placing(ids.new(), purchase, timedelta(seconds=payment_seconds) + AFTER_PAYMENT))
    if isinstance(begun, UUID):
        begun = await _take_up(till, begun, purchase, present)
    if isinstance(begun, Answer):
        return begun
    return await _pay(till, provider, begun, purchase, present, payment_seconds)


async def _take_up(till: Till, order_id: UUID, purchase: Purchase, present: Presenter) -> orders.Order | Answer:
    """The order that a crash left between its two transactions, or its answer when the sweeper finished it."""

    async def look(tx: Tx) -> orders.Order | Answer:
        order, _ = await orders.load(tx, order_id)
        order = structs.replace(order, token=await orders.tokens.give(tx, till.seals, order, instead=True))
        if order.status == orders.OrderStatus.PLACED:
            return order
        if order.status == orders.OrderStatus.CANCELLED and order.payment_status == "declined":
            answer = present.declined(PaymentDeclined(reason="it was declined at the payment page"))
            await remember(tx, purchase.key, answer)
            return answer
        if order.status == orders.OrderStatus.CANCELLED:
            raise CheckoutExpired
        answer = present.order(order)
        await remember(tx, purchase.key, answer)
        return answer

    return await till.db.transact(look)


async def _pay(
    till: Till,
    provider: Provider,
    order: orders.Order,
    purchase: Purchase,
    present: Presenter,
    seconds: float,
) -> Answer:
    if not order.total.amount:
        return await _settle(till, order, Authorization(FREE, order.total), purchase, present)
    try:
        outcome = await asyncio.wait_for(
            provider.authorize(Payment(str(order.id), order.total), purchase.payment_token), timeout=seconds
        )
    except PaymentDeclined as declined:
        answer = present.declined(declined)
        try:
            await till.db.transact(lambda tx: _decline(tx, order.id, purchase.key, answer))
        except orders.CannotMove:
            return await _finished_elsewhere(till, order.id, purchase, present)
        return answer
    except (TimeoutError, OSError):
        async with till.db.tx() as tx:
            await end_lease(tx, purchase.key)
        raise PaymentUnknown from None
    if isinstance(outcome, Challenge):
        async with till.db.tx() as tx:
            await orders.paying.mark(tx, order.id, "action_required", of=["pending"])
            await end_lease(tx, purchase.key)
        return present.challenge(order, outcome)
    return await _settle(till, order, outcome, purchase, present)


async def _settle(
    till: Till, order: orders.Order, authorization: Authorization, purchase: Purchase, present: Presenter
) -> Answer:
    customer = purchase.owner.customer_id
    paid = orders.paying.Paid(authorization.reference, clock.now(), str(customer) if customer else "guest")
    answer = present.order(orders.paying.as_paid(order, paid))
    try:
        await till.settle(orders.paying.Settlement(order.id, paid, purchase.key, answer))
    except orders.CannotMove:
        return await _finished_elsewhere(till, order.id, purchase, present)
    return answer


async def _finished_elsewhere(till: Till, order_id: UUID, purchase: Purchase, present: Presenter) -> Answer:
    """What to say when somebody was quicker: the order as it was settled; or why not, and the money is let go."""
    await till.db.transact(partial(let_go_of_cancelled, order_id=order_id))
    taken_up = await _take_up(till, order_id, purchase, present)
    assert isinstance(taken_up, Answer)  # noqa: S101 - an order that cannot be settled is not unpaid
    return taken_up


async def _decline(tx: Tx, order_id: UUID, key: Key, answer: Answer) -> None:
    """Release the order, if the provider's webhook did not yet. `CannotMove`."""
    if (await orders.paying.look(tx, order_id, hold=True)).state != "declined":
        await release(tx, order_id, payment_status="declined", why="payment declined")
    await remember(tx, key, answer)
