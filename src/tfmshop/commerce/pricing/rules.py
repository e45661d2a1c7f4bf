"""Keeping the rates and methods of the shop."""

from __future__ import annotations

import re
from typing import Final

from tfmshop.commerce.pricing.errors import BadMethod, MethodNotFound, RateNotFound
from tfmshop.commerce.pricing.model import STANDARD, Rules, ShippingMethod, TaxRate
from tfmshop.commerce.pricing.store import DROP_METHOD, DROP_RATE, METHODS, RATES, SET_METHOD, SET_RATE
from tfmshop.platform import codec
from tfmshop.platform.db import Tx

_CODE: Final = re.compile("[a-z0-9][a-z0-9-]{0,29}")


async def set_rate(tx: Tx, rate: TaxRate) -> None:
    """Say what a country or region asks for a class of goods."""
    await tx.execute(SET_RATE, rate.country, rate.region, rate.tax_class, rate.rate, rate.name, rate.included)


async def drop_rate(tx: Tx, country: str, region: str = "", tax_class: str = STANDARD) -> None:
    """Take a rate away. `RateNotFound`."""
    if not await tx.execute(DROP_RATE, country, region, tax_class):
        raise RateNotFound


async def set_method(tx: Tx, method: ShippingMethod, position: int = 0) -> None:
    """Add a shipping method, or change the one with its code. `BadMethod` unless its steps begin at 0."""
    if not any(step.at_least == 0 for step in method.steps):
        raise BadMethod(why="its steps must begin at 0")
    if any(step.at_least < 0 or step.price < 0 for step in method.steps):
        raise BadMethod(why="no step or price may be below 0")
    if not _CODE.fullmatch(method.code):
        raise BadMethod(why="its code must be 1 to 30 small letters, digits or hyphens")
    await tx.execute(
        SET_METHOD, method.code, method.name, method.by, codec.encode_text(method.steps), method.currency,
        method.countries, method.free_from, method.heaviest_g, method.tax_class, position,
    )  # fmt: skip


async def drop_method(tx: Tx, code: str) -> None:
    """Take a shipping method away. `MethodNotFound`."""
    if not await tx.execute(DROP_METHOD, code):
        raise MethodNotFound(method=code)


async def rules(tx: Tx) -> Rules:
    """Every rate and every method."""
    return Rules(
        [codec.decode_as(row[0], TaxRate) for row in await tx.rows(RATES)],
        [codec.decode_as(row[0], ShippingMethod) for row in await tx.rows(METHODS)],
    )
