"""Making offers, using them, giving a use back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tfmshop.commerce.promotions.errors import BadOffer, CouponExhausted, OfferNotFound, StaleOffer
from tfmshop.commerce.promotions.model import WHOLE, Kind, Offer
from tfmshop.commerce.promotions.store import CHANGE, END, FIND, GIVE_BACK, HOLD, LIST, REDEEM, SAVE
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT, YEARS
from tfmshop.platform import codec, ids
from tfmshop.platform.db import Query, Refused, Tx

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)]
Ids = Annotated[list[UUID], Meta(max_length=1000)]
Moment = Annotated[datetime, Meta(tz=True)]
Uses = Annotated[int, Meta(ge=1, le=10**9)]
Priority = Annotated[int, Meta(ge=-1000, le=1000)]


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall be different about an offer; what is not named stays. A limit can be moved, not begun or dropped."""

    name: Name | UnsetType = UNSET
    value: Amount | UnsetType = UNSET
    products: Ids | UnsetType = UNSET
    categories: Ids | UnsetType = UNSET
    minimum: Amount | UnsetType = UNSET
    starts_at: Moment | UnsetType | None = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    max_uses: Uses | UnsetType = UNSET
    max_uses_per_customer: Uses | UnsetType = UNSET
    stackable: bool | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET


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
    except Refused as error:
        if error.constraint != "offer_code":
            raise
        raise BadOffer(why=f"the code {offer.code} is taken") from None


async def change(tx: Tx, code_or_id: str, changes: Changes, version: int | None = None) -> tuple[Offer, Offer]:
    """Change a running offer, if it is at `version`: as it was and as it is. Orders that used it keep what they got.

    `OfferNotFound`, `StaleOffer`, `BadOffer`.
    """
    before = await _one(tx, HOLD, code_or_id)
    if version not in (None, before.version):
        raise StaleOffer(version=before.version)
    wanted = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
    if msgspec.structs.replace(before, **wanted) == before:
        return before, before
    after = msgspec.structs.replace(before, **wanted, version=before.version + 1)
    why = _wrong(after) or _limits_wrong(before, after)
    if why is not None:
        raise BadOffer(why=why)
    await tx.execute(
        CHANGE, after.id, after.name, after.value, after.products, after.categories, after.minimum, after.starts_at,
        after.ends_at, after.max_uses, after.max_uses_per_customer, after.stackable, after.priority,
    )  # fmt: skip
    return before, after


async def show(tx: Tx, code_or_id: str) -> Offer:
    """A running offer. `OfferNotFound`."""
    return await _one(tx, FIND, code_or_id)


async def end(tx: Tx, code_or_id: str, version: int | None = None) -> Offer:
    """End an offer now, if it is at `version`; as it was. Orders that used it keep what they got.

    `OfferNotFound`, `StaleOffer`.
    """
    offer = await _one(tx, HOLD, code_or_id)
    if version not in (None, offer.version):
        raise StaleOffer(version=offer.version)
    await tx.execute(END, offer.id)
    return offer


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


async def _one(tx: Tx, query: Query, code_or_id: str) -> Offer:
    id = ids.parse(code_or_id)
    found = await tx.value(query, id, None if id else code_or_id.upper())
    if found is None:
        raise OfferNotFound
    return codec.decode_as(found, Offer)


def _limits_wrong(before: Offer, after: Offer) -> str | None:
    """Uses are counted from the first only where there is a limit: one that begins later would not know of them."""
    for name in ("max_uses", "max_uses_per_customer"):
        if getattr(before, name) is None and getattr(after, name) is not None:
            return "a limit must be there from the start: end it and add another"
    if after.max_uses is not None and after.max_uses < after.used:
        return f"it was used {after.used} times already"
    return None


def _wrong(offer: Offer) -> str | None:
    if not offer.name.strip():
        return "it needs a name"
    if offer.kind in {Kind.PERCENT, Kind.BUY_GET} and not 0 < offer.value <= WHOLE:
        return "its percentage must be above 0 and at most 100"
    if offer.kind is not Kind.FIXED and offer.value > WHOLE:
        return "its value is in hundredths of a percent, at most 10000"
    if any(moment and moment.year not in YEARS for moment in (offer.starts_at, offer.ends_at)):
        return f"its dates must be from {YEARS[0]} to {YEARS[-1]}"
    if offer.kind is Kind.FIXED and (offer.value <= 0 or offer.currency is None):
        return "it needs an amount above 0 and a currency"
    if offer.kind is Kind.BUY_GET and (offer.buy < 1 or offer.get < 1):
        return "it needs how many to buy and how many to get"
    if offer.starts_at and offer.ends_at and offer.starts_at >= offer.ends_at:
        return "it ends before it begins"
    if any(limit is not None and limit < 1 for limit in (offer.max_uses, offer.max_uses_per_customer)):
        return "a limit must be at least 1"
    return None
