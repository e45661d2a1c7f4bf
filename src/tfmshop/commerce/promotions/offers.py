"""Making offers, using them, giving a use back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tfmshop.commerce.promotions.errors import BadOffer, CouponExhausted, OfferNotFound
from tfmshop.commerce.promotions.model import WHOLE, Kind, Offer
from tfmshop.commerce.promotions.store import END, GIVE_BACK, LIST, REDEEM, SAVE
from tfmshop.platform import codec
from tfmshop.platform.db import Refused, Tx


async def add(tx: Tx, offer: Offer) -> None:
    """Add an offer. `BadOffer` when its parts do not go together, or its code is taken."""
    why = _wrong(offer)
    if why is not None:
        raise BadOffer(why=why)
    try:
        async with tx.savepoint():
            await tx.execute(
                SAVE, offer.id, offer.name, offer.code, offer.kind, offer.value, offer.currency, offer.buy, offer.get,
                offer.products, offer.categories, offer.minimum, offer.starts_at, offer.ends_at, offer.max_uses,
                offer.max_uses_per_customer, offer.stackable, offer.priority,
            )  # fmt: skip
    except Refused:
        raise BadOffer(why=f"the code {offer.code} is taken") from None


async def end(tx: Tx, code_or_id: str) -> None:
    """End an offer now; orders that used it keep what they got. `OfferNotFound`."""
    if await tx.value(END, code_or_id) is None:
        raise OfferNotFound


async def running(tx: Tx, limit: int) -> list[Offer]:
    """Offers that are not over, newest first."""
    return [codec.decode_as(row[0], Offer) for row in await tx.rows(LIST, limit)]


@dataclass(frozen=True, slots=True)
class Use:
    """The offers that an order uses; `who` is counted for limits per customer."""

    order_id: UUID
    who: str
    offers: Sequence[Offer]


async def redeem(tx: Tx, uses: Sequence[Use]) -> dict[UUID, CouponExhausted]:
    """Use limited offers for orders; an unlimited one is not even looked at. The orders that cannot have theirs.

    Where there is one, the transaction must be given up: others may have been counted.
    """
    limited = {(use.order_id, offer.id): (use, offer) for use in uses for offer in use.offers if offer.limited}
    if not limited:
        return {}
    wanted = limited.values()
    for row in await tx.rows(
        REDEEM, [offer.id for _, offer in wanted], [use.order_id for use, _ in wanted], [use.who for use, _ in wanted]
    ):
        del limited[row["order_id"], row["id"]]
    return {order: CouponExhausted(name=offer.code or offer.name) for (order, _), (_, offer) in limited.items()}


async def give_back(tx: Tx, order_id: UUID) -> None:
    """Give back the uses of a cancelled order; a second time changes nothing."""
    await tx.execute(GIVE_BACK, order_id)


def _wrong(offer: Offer) -> str | None:
    if not offer.name.strip():
        return "it needs a name"
    if offer.kind in {Kind.PERCENT, Kind.BUY_GET} and not 0 < offer.value <= WHOLE:
        return "its percentage must be above 0 and at most 100"
    if offer.kind is Kind.FIXED and (offer.value <= 0 or offer.currency is None):
        return "it needs an amount above 0 and a currency"
    if offer.kind is Kind.BUY_GET and (offer.buy < 1 or offer.get < 1):
        return "it needs how many to buy and how many to get"
    if offer.starts_at and offer.ends_at and offer.starts_at >= offer.ends_at:
        return "it ends before it begins"
    if any(limit is not None and limit < 1 for limit in (offer.max_uses, offer.max_uses_per_customer)):
        return "a limit must be at least 1"
    return None
