"""What a person keeps with the shop: a name, addresses, wishes."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.errors import AddressNotFound, SignInRequired, TooManyKept
from tfmshop.commerce.accounts.store_book import (
    ADD_ADDRESS,
    BOOK,
    CHANGE_ADDRESS,
    DROP_ADDRESS,
    ERASE,
    HOLD_PERSON,
    NEXT_DEFAULT,
    NO_DEFAULT,
    RENAME,
    UNWISH,
    WISH,
    WISHES,
)
from tfmshop.commerce.accounts.store_identities import FORGET
from tfmshop.commerce.vocabulary import Address, Money
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Row, Tx

MOST_ADDRESSES: Final = 50
MOST_WISHES: Final = 500


class Kept(msgspec.Struct, frozen=True):
    """An address in a person's book; orders go to the default one unless they say otherwise."""

    id: UUID
    address: Address
    is_default: bool


class Wish(msgspec.Struct, frozen=True):
    """A product that somebody would like to have, as it is now."""

    product_id: UUID
    slug: str
    title: str
    price: Money
    image: str | None
    in_stock: bool
    added_at: datetime


async def rename(tx: Tx, customer: UUID, name: str) -> None:
    """Change a person's name. `SignInRequired` when the account was closed."""
    if not await tx.execute(RENAME, customer, name):
        raise SignInRequired


async def addresses(tx: Tx, customer: UUID) -> list[Kept]:
    """A person's addresses, oldest first."""
    return [_kept(row) for row in await tx.rows(BOOK, customer)]


async def add(tx: Tx, customer: UUID, address: Address, *, is_default: bool) -> Kept:
    """Add an address; the first is the default. `TooManyKept`, `SignInRequired`."""
    await _hold(tx, customer)
    if is_default:
        await tx.execute(NO_DEFAULT, customer)
    id = ids.new()
    text = codec.encode_text(address)
    if await tx.value(ADD_ADDRESS, id, customer, text, is_default, clock.now(), MOST_ADDRESSES) is None:
        raise TooManyKept(most=MOST_ADDRESSES)
    return await _one(tx, customer, id)


async def change(tx: Tx, customer: UUID, id: UUID, address: Address, *, is_default: bool) -> Kept:
    """Change an address, and make it the default if wanted. `AddressNotFound`, `SignInRequired`."""
    await _hold(tx, customer)
    await _one(tx, customer, id)
    if is_default:
        await tx.execute(NO_DEFAULT, customer)
    await tx.execute(CHANGE_ADDRESS, customer, id, codec.encode_text(address), is_default)
    return await _one(tx, customer, id)


async def drop(tx: Tx, customer: UUID, id: UUID) -> None:
    """Take an address out; the newest that is left becomes the default. `AddressNotFound`, `SignInRequired`."""
    await _hold(tx, customer)
    was_default = await tx.value(DROP_ADDRESS, customer, id)
    if was_default is None:
        raise AddressNotFound
    if was_default:
        await tx.execute(NEXT_DEFAULT, customer)


async def wishes(tx: Tx, customer: UUID) -> list[Wish]:
    """What a person would like to have, the newest first."""
    return [
        Wish(row["product_id"], row["slug"], row["title"], Money(row["price"], row["currency"]), row["image"],
             row["in_stock"], row["added_at"])
        for row in await tx.rows(WISHES, customer)
    ]  # fmt: skip


async def wish(tx: Tx, customer: UUID, product: UUID) -> None:
    """Note a wish; a second time changes nothing. `TooManyKept`, `SignInRequired`."""
    await _hold(tx, customer)
    if await tx.value(WISH, customer, product, clock.now(), MOST_WISHES) is None:
        raise TooManyKept(most=MOST_WISHES)


async def unwish(tx: Tx, customer: UUID, product: str) -> None:
    """Forget a wish, by the product's id or slug, if there was one."""
    id = ids.parse(product)
    await tx.execute(UNWISH, customer, id, None if id else product)


async def erase(tx: Tx, customer: UUID) -> None:
    """Take away everything that tells who a customer is; the account is closed for good."""
    await tx.execute(FORGET, customer)
    await tx.execute(ERASE, customer, f"{customer}@erased.invalid")


async def _hold(tx: Tx, customer: UUID) -> None:
    if await tx.value(HOLD_PERSON, customer) is None:
        raise SignInRequired


async def _one(tx: Tx, customer: UUID, id: UUID) -> Kept:
    found = [_kept(row) for row in await tx.rows(BOOK, customer) if row["id"] == id]
    if not found:
        raise AddressNotFound
    return found[0]


def _kept(row: Row) -> Kept:
    return Kept(row["id"], codec.decode_as(row["address"], Address), row["is_default"])
