"""Orders: their lines, totals and the table of allowed moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.vocabulary import Address, Money


class OrderStatus(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    PAID = "paid"
    PACKED = "packed"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


MOVED_IN: Final = "moved-in"
"""How the payment of an order is called that another shop took."""
SENT: Final = (OrderStatus.PARTIALLY_SHIPPED, OrderStatus.SHIPPED)
MOVES: Final = {
    OrderStatus.PLACED: {OrderStatus.PAID, OrderStatus.CANCELLED},
    OrderStatus.PAID: {OrderStatus.PACKED, *SENT, OrderStatus.CANCELLED},
    OrderStatus.PACKED: {*SENT, OrderStatus.CANCELLED},
    OrderStatus.PARTIALLY_SHIPPED: {*SENT, OrderStatus.REFUNDED},
    OrderStatus.SHIPPED: {OrderStatus.DELIVERED},
    OrderStatus.DELIVERED: {OrderStatus.REFUNDED},
    OrderStatus.CANCELLED: set(),
    OrderStatus.REFUNDED: set(),
}
"""From each status, where an order may go. What was paid back before it was sent is cancelled: its goods go back."""


def before(status: OrderStatus) -> list[str]:
    """The statuses from which an order may become `status`."""
    return [origin.value for origin, targets in MOVES.items() if status in targets]


def allotted(
    lines: Sequence[tuple[int, str, int]], units: Mapping[str, int], short: Callable[[str, int], Exception]
) -> dict[int, int]:
    """Units by SKU as units by line (position, SKU, units left), first lines first; `short(sku, left)` is raised."""
    taken: dict[int, int] = {}
    for sku, wanted in units.items():
        missing = wanted
        for position, _, left in (line for line in lines if line[1] == sku and line[2]):
            if part := min(left, missing):
                taken[position] = part
                missing -= part
        if missing or not wanted:
            raise short(sku, wanted - missing)
    return taken


def worth(paid: int, bought: int, before: int, units: int) -> int:
    """What `units` of a line of `bought` are worth that cost `paid` in all, when `before` of them came back earlier.

    Minor units that do not divide go with the later ones: whatever the parts, together they are worth `paid`.
    """
    return paid * (before + units) // bought - paid * before // bought


class OrderLine(msgspec.Struct, frozen=True):
    """What was bought, as it was called and cost then; `total` is before `discount`, and `tax` after it, at a rate in
    millionths (200000 is 20 percent); `tax_included` is the part of the tax that the price had in it.
    """

    product_id: UUID
    variant_id: UUID
    sku: str
    title: str
    quantity: int
    unit_price: Money
    total: Money
    discount: Money
    tax: Money
    tax_included: Money
    tax_rate: int
    shipped: int = 0


class ShippedLine(msgspec.Struct, frozen=True):
    """Units in a parcel."""

    sku: str
    quantity: int


class Shipment(msgspec.Struct, frozen=True):
    """A parcel on its way; `carrier` and `tracking` are empty where nobody told."""

    id: UUID
    at: datetime
    carrier: str
    tracking: str
    lines: list[ShippedLine]


class Discount(msgspec.Struct, frozen=True):
    """An offer that took something off the order."""

    name: str
    amount: Money
    code: str | None = None


class GivenBack(msgspec.Struct, frozen=True):
    """Money of an order that goes back; `done_at` is when the company gave it; staff see `why`, and why it `failed`."""

    id: UUID
    amount: Money
    why: str
    asked_at: datetime
    done_at: datetime | None
    failed: str | None = None


class Event(msgspec.Struct, frozen=True):
    """A step in an order's life."""

    at: datetime
    status: str
    who: str
    why: str


_ID: Final = re.compile(r"[0-9a-f-]{36}")
"""Staff are noted by id, or as staff where they used a command, and payment companies by name."""


def _seen(event: Event, buyer: UUID | None) -> Event:
    if event.who == str(buyer):
        return msgspec.structs.replace(event, who="buyer")
    if event.who in {"buyer", "guest", "shop"}:
        return event
    by_staff = event.who == "staff" or _ID.fullmatch(event.who)
    return msgspec.structs.replace(event, who="staff" if by_staff else "payment", why="")


class Addresses(msgspec.Struct, frozen=True):
    """Where an order goes."""

    shipping: Address


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order; `token` is given to guests only, in the answer that created it.

    `tax_included` is the part of `tax` that the prices had in them: it is not added to the total.
    """

    id: UUID
    number: str
    status: str
    payment_status: str
    lines: list[OrderLine]
    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    tax_included: Money
    total: Money
    discounts: list[Discount]
    shipping_method: str | None
    email: str
    addresses: Addresses
    placed_at: datetime
    history: list[Event]
    shipments: list[Shipment]
    refunds: list[GivenBack] = []
    token: str | None = None

    def seen_by(self, buyer: UUID | None) -> Order:
        """The order as its buyer sees it: who of the staff did something, and what they noted, is not theirs."""
        return msgspec.structs.replace(
            self, history=[_seen(event, buyer) for event in self.history],
            refunds=[msgspec.structs.replace(back, why="", failed=None) for back in self.refunds],
        )  # fmt: skip
