"""Placing orders: their keys claimed, their carts closed, offers used, orders written, stock taken last.

The statements are the same five names for one order as for thirty: `platform.begin_key`, `cart.close`,
`promotions.redeem` where an offer is limited, `orders.place`, and `inventory.take`, whose locks are held shortest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tfmshop.commerce import cart, inventory, orders, pricing, promotions
from tfmshop.commerce.checkout.errors import EmptyCart, Incomplete, PriceChanged, Unavailable
from tfmshop.commerce.checkout.purchase import Purchase
from tfmshop.commerce.vocabulary import Money, spelled
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.idempotency import Answer, begin
from tfmshop.platform.security.seals import Seals

Begun = orders.Order | Answer | UUID
"""An order that was placed now, the answer it got before, or one that a crash left unfinished."""


@dataclass(frozen=True, slots=True)
class Placing:
    """A purchase, the id of the order that it shall become, and how long its key is ours."""

    order_id: UUID
    purchase: Purchase
    lease: timedelta


class Spoiled(Exception):
    """Orders of a shared transaction that cannot be placed, by their place in it, and why."""

    def __init__(self, errors: dict[int, ShopError]) -> None:
        super().__init__(errors)
        self.errors = errors


async def place_all(tx: Tx, wanted: list[Placing], seals: Seals) -> list[Begun | Exception]:
    """Place orders of different carts and keys. `Spoiled` when one of them cannot be placed."""
    begun = await begin(tx, [(one.purchase.key, one.order_id) for one in wanted], max(one.lease for one in wanted))
    outcomes: list[Begun | Exception | None] = list(begun)
    fresh = [n for n, one in enumerate(begun) if one is None]
    if fresh:
        placed = await _place_fresh(tx, {n: wanted[n] for n in fresh}, seals)
        for n, order in zip(fresh, placed, strict=True):
            outcomes[n] = order
    return [one for one in outcomes if one is not None]


async def _place_fresh(tx: Tx, wanted: Mapping[int, Placing], seals: Seals) -> list[orders.Order]:
    closed = await cart.closing.close(tx, [_closing(one.purchase) for one in wanted.values()])
    new: list[orders.NewOrder] = []
    uses: list[promotions.Use] = []
    spoiled: dict[int, ShopError] = {}
    for (n, placing), found in zip(wanted.items(), closed, strict=True):
        try:
            order, offers = _as_order(placing, found)
        except ShopError as error:
            spoiled[n] = error
        else:
            new.append(order)
            uses.append(promotions.Use(order.id, order.mark, offers))
    if spoiled:
        raise Spoiled(spoiled)
    numbers = {placing.order_id: n for n, placing in wanted.items()}
    if used_up := await promotions.redeem(tx, uses):
        raise Spoiled({numbers[id]: error for id, error in used_up.items()})
    placed = await orders.place(tx, new, seals)
    takings = [inventory.Taking(one.id, one.cart_id, {line.variant_id: line.quantity for line in one.lines})
               for one in new]  # fmt: skip
    if short := await inventory.take(tx, takings):
        raise Spoiled({numbers[id]: error for id, error in short.items()})
    return placed


def _closing(purchase: Purchase) -> cart.closing.Closing:
    return cart.closing.Closing(
        purchase.cart_id, purchase.owner, purchase.email, purchase.address, purchase.shipping_method
    )


def _as_order(placing: Placing, found: cart.Closed | ShopError) -> tuple[orders.NewOrder, list[promotions.Offer]]:
    """What a closed cart becomes, and the offers it uses; a `ShopError` when it cannot be ordered."""
    if isinstance(found, ShopError):
        raise found
    purchase, sums = placing.purchase, found.quote
    if found.missing:
        raise Unavailable
    if not found.lines:
        raise EmptyCart
    if found.email is None or found.address is None:
        raise Incomplete(missing="an e-mail address" if found.email is None else "an address")
    if not sums.served:
        raise pricing.NotDeliverable(why="no shipping method serves it")
    if purchase.shipping_method not in (None, sums.method):
        raise pricing.MethodNotFound(method=purchase.shipping_method or "")
    if found.coupon is not None and found.coupon not in {offer.code for offer in sums.offers}:
        raise promotions.CouponInvalid(why=_why_not(sums, found.coupon))
    if purchase.expected_total is not None:
        _as_expected(purchase.expected_total, Money(sums.total, found.currency))
    return orders.NewOrder(
        placing.order_id, purchase.cart_id, purchase.owner.customer_id, found.email, found.address, found.currency,
        found.lines, sums, sums.discounts, sums.method, purchase.provider_name,
    ), sums.offers  # fmt: skip


def _as_expected(expected: Money | int, total: Money) -> None:
    """Nothing when the total is what the buyer saw. `PriceChanged`."""
    wanted = expected if isinstance(expected, Money) else Money(expected, total.currency)
    if wanted != total:
        raise PriceChanged(total=total.amount, currency=total.currency, expected=spelled(wanted))


def _why_not(sums: cart.Quote, coupon: str) -> str:
    return next((reason.why for reason in sums.reasons if reason.code == coupon), "there is no such coupon")
