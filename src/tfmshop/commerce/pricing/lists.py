"""Price lists: other prices than a product's own, for a group of customers, a currency, or a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tfmshop.commerce.pricing.errors import BadPriceList, PriceListNotFound
from tfmshop.commerce.pricing.store_lists import DROP_LIST, DROP_PRICE, HOLD_LIST, LISTS, PRICES, SET_LIST, SET_PRICES
from tfmshop.platform.db import Refused, Tx

SHOWN: Final = 5
"""Unknown SKUs that an error names."""


class PriceList(msgspec.Struct, frozen=True):
    """A list of prices in one currency; without a group it is for everybody, without times for always."""

    code: str
    name: str
    currency: str
    customer_group: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    prices: int = 0


async def put(tx: Tx, one: PriceList) -> None:
    """Add a price list, or change the one with its code. `BadPriceList`."""
    if len(one.currency) != 3 or not one.currency.isascii() or not one.currency.isupper():
        raise BadPriceList(why="its currency must be an ISO 4217 code such as EUR")
    try:
        async with tx.savepoint():
            await tx.value(HOLD_LIST, one.code)
            kept = await tx.execute(
                SET_LIST, one.code, one.name, one.currency, one.customer_group, one.starts_at, one.ends_at
            )
    except Refused as error:
        times = error.constraint == "price_list_times"
        why = "it must end after it starts" if times else "its code must be 1 to 30 small letters, digits or hyphens"
        raise BadPriceList(why=why) from None
    if not kept:
        raise BadPriceList(why="its prices are in another currency; drop them, or make another list")


async def every(tx: Tx) -> list[PriceList]:
    """Every price list, and how many prices each has."""
    return [PriceList(*row) for row in await tx.rows(LISTS)]


async def drop(tx: Tx, code: str) -> None:
    """Take a list and its prices away; orders keep what they cost. `PriceListNotFound`."""
    if not await tx.execute(DROP_LIST, code):
        raise PriceListNotFound(name=code)


async def set_prices(tx: Tx, code: str, prices: Mapping[str, int]) -> None:
    """Set prices by SKU, in minor units of the list's currency, all of them or none. `PriceListNotFound`;
    `BadPriceList`, also when there is no such SKU.
    """
    if any(amount < 0 for amount in prices.values()):
        raise BadPriceList(why="no price may be below 0")
    try:
        async with tx.savepoint():
            await tx.value(HOLD_LIST, code)
            unknown = await tx.rows(SET_PRICES, code, list(prices), list(prices.values()))
            if unknown:
                raise BadPriceList(why=f"there is no {', '.join(row[0] for row in unknown[:SHOWN])}")
    except Refused:
        raise PriceListNotFound(name=code) from None


async def drop_price(tx: Tx, code: str, sku: str) -> None:
    """Take the price of a variant off a list. `BadPriceList` when it has none there."""
    if not await tx.execute(DROP_PRICE, code, sku):
        raise BadPriceList(why=f"{code} has no price of {sku}")


async def prices(tx: Tx, code: str, limit: int) -> list[tuple[str, int]]:
    """The prices on a list by SKU. `PriceListNotFound`."""
    if code not in {one.code for one in await every(tx)}:
        raise PriceListNotFound(name=code)
    return [(row["sku"], row["amount"]) for row in await tx.rows(PRICES, code, limit)]
