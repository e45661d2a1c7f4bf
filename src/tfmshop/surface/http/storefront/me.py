"""What the signed-in person keeps with the shop: name, addresses, wishes, e-mail address."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, patch, post, put
from msgspec import Meta

from tfmshop.commerce import accounts, catalog, orders
from tfmshop.commerce.vocabulary import Address, Email
from tfmshop.platform.db import Tx
from tfmshop.platform.security.passwords import LONGEST
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in, someone
from tfmshop.surface.http.tiers import limited


class Name(msgspec.Struct, forbid_unknown_fields=True):
    """What may be changed of oneself just so."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class NewAddress(msgspec.Struct, forbid_unknown_fields=True):
    """An address, and whether orders go there unless they say otherwise."""

    address: Address
    is_default: bool = False


class Book(msgspec.Struct, frozen=True):
    """One's addresses, oldest first."""

    items: list[accounts.book.Kept]


class Wishlist(msgspec.Struct, frozen=True):
    """What one would like to have, the newest first."""

    items: list[accounts.book.Wish]


class NewEmail(msgspec.Struct, forbid_unknown_fields=True):
    """The address that shall be, and the password as proof."""

    email: Email
    password: Annotated[str, Meta(max_length=LONGEST)]


class Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    """The token of the letter."""

    token: Annotated[str, Meta(max_length=100)]


@patch("/me", summary="Change one's name", tags=["accounts"])
async def rename(request: AnyRequest, data: Name) -> accounts.Customer:
    """Errors: `sign_in_required`, `invalid_token`, `invalid_request`."""
    customer = signed_in(request)

    async def work(tx: Tx) -> accounts.Customer:
        await accounts.book.rename(tx, customer, data.name)
        return await accounts.me(tx, customer)

    return await shop_of(request).platform.db.transact(work)


@get("/me/statistics", summary="What I bought so far", tags=["accounts"])
async def show_statistics(request: AnyRequest) -> orders.browse.Statistics:
    """How many orders, and what was paid for them, by currency; cancelled ones are left out, refunds taken off.

    Errors: `sign_in_required`, `invalid_token`.
    """
    customer = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        return await orders.browse.statistics(tx, customer)


@get("/me/addresses", summary="My addresses", tags=["accounts"])
async def list_addresses(request: AnyRequest) -> Book:
    """Errors: `sign_in_required`, `invalid_token`."""
    customer = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        return Book(await accounts.book.addresses(tx, customer))


@post("/me/addresses", summary="Add an address", tags=["accounts"])
async def add_address(request: AnyRequest, data: NewAddress) -> accounts.book.Kept:
    """The first address is the default.

    Errors: `too_many_kept`, `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    customer = signed_in(request)
    return await shop_of(request).platform.db.transact(
        lambda tx: accounts.book.add(tx, customer, data.address, is_default=data.is_default)
    )


@put("/me/addresses/{address_id:uuid}", summary="Change an address", tags=["accounts"])
async def change_address(request: AnyRequest, address_id: UUID, data: NewAddress) -> accounts.book.Kept:
    """With `is_default` it becomes the default; without, it stays what it was.

    Errors: `address_not_found`, `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    customer = signed_in(request)
    return await shop_of(request).platform.db.transact(
        lambda tx: accounts.book.change(tx, customer, address_id, data.address, is_default=data.is_default)
    )


@delete("/me/addresses/{address_id:uuid}", summary="Take an address out", tags=["accounts"])
async def drop_address(request: AnyRequest, address_id: UUID) -> None:
    """The newest that is left becomes the default if this one was. Orders keep theirs.

    Errors: `address_not_found`, `sign_in_required`, `invalid_token`.
    """
    customer = signed_in(request)
    await shop_of(request).platform.db.transact(lambda tx: accounts.book.drop(tx, customer, address_id))


@get("/me/wishlist", summary="My wishes", tags=["accounts"])
async def list_wishes(request: AnyRequest) -> Wishlist:
    """Errors: `sign_in_required`, `invalid_token`."""
    customer = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        return Wishlist(await accounts.book.wishes(tx, customer))


@put("/me/wishlist/{product:str}", summary="Wish for a product", tags=["accounts"], status_code=204)
async def wish(request: AnyRequest, product: str) -> None:
    """By id or slug; a second time changes nothing.

    Errors: `product_not_found`, `too_many_kept`, `sign_in_required`, `invalid_token`.
    """
    customer = signed_in(request)

    async def work(tx: Tx) -> None:
        await accounts.book.wish(tx, customer, await catalog.keep.on_sale(tx, product))

    await shop_of(request).platform.db.transact(work)


@delete("/me/wishlist/{product:str}", summary="Forget a wish", tags=["accounts"])
async def unwish(request: AnyRequest, product: str) -> None:
    """By id or slug; a wish that is not there is forgotten already.

    Errors: `sign_in_required`, `invalid_token`.
    """
    customer = signed_in(request)

    async def work(tx: Tx) -> None:
        await accounts.book.unwish(tx, customer, product)

    await shop_of(request).platform.db.transact(work)


@post("/me/email", summary="Ask for another e-mail address", tags=["accounts"], status_code=202, opt=limited("auth"))
async def ask_email(request: AnyRequest, data: NewEmail) -> None:
    """Have a link sent to the new address, which is good for a day and for oneself alone.

    Errors: `invalid_credentials`, `sign_in_required`, `invalid_token`, `invalid_request`, `busy`.
    """
    await accounts.email.ask(shop_of(request).caution, someone(request), email=data.email, password=data.password)


@post(
    "/me/email/confirm", summary="Take the new e-mail address", tags=["accounts"], status_code=204, opt=limited("auth")
)
async def confirm_email(request: AnyRequest, data: Confirmation) -> None:
    """With the token of the letter, signed in as the one who asked; every other session ends.

    Errors: `link_invalid`, `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    platform = shop_of(request).platform
    viewer = someone(request)
    await platform.db.transact(lambda tx: accounts.email.confirm(tx, platform.seals, viewer, data.token))


ROUTES = [
    rename, show_statistics, list_addresses, add_address, change_address, drop_address, list_wishes, wish, unwish,
    ask_email, confirm_email,
]  # fmt: skip
