"""Accounts: register, prove an address, set a password, and who am I."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post, put
from msgspec import Meta

from tfmshop.commerce import accounts, cart
from tfmshop.commerce.vocabulary import Address, Email
from tfmshop.platform.security.passwords import LONGEST, SHORTEST
from tfmshop.surface.http import browsers
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in, someone
from tfmshop.surface.http.tiers import limited

Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]
Token = Annotated[str, Meta(max_length=100)]


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Annotated[str, Meta(min_length=1, max_length=200)]


class Registered(msgspec.Struct, frozen=True):
    """What everyone is told who registers, whether the address had an account or not."""

    email: str


class Forgotten(msgspec.Struct, forbid_unknown_fields=True):
    """Whose password was forgotten: the address of their account, as it was accepted then."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The token of the letter, and what the password shall be."""

    token: Token
    password: Password


class Device(msgspec.Struct, frozen=True):
    """What makes a device known, as in the answer of a sign-in."""

    device_token: str


class Link(msgspec.Struct, forbid_unknown_fields=True):
    """The token of the letter."""

    token: Token


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """The password as it is, and as it shall be."""

    old: Annotated[str, Meta(max_length=LONGEST)]
    new: Password


class Profile(msgspec.Struct, frozen=True):
    """The signed-in person."""

    customer: accounts.Customer
    addresses: list[Address]
    default_address: Address | None


@post("/auth/register", summary="Register", tags=["accounts"], opt=limited("auth"))
async def register(request: AnyRequest, data: Registration) -> Registered:
    """Make an account. An address that has one already changes nothing and is answered the same.

    Errors: `password_too_common`, `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    await accounts.register(platform.db, platform.passwords, email=data.email, name=data.name, password=data.password)
    return Registered(data.email)


@post(
    "/auth/forgot-password", summary="Ask for a new password", tags=["accounts"], status_code=202, opt=limited("auth")
)
async def forgot_password(request: AnyRequest, data: Forgotten) -> Registered:
    """Have a letter with a link sent, which is good for an hour. Addresses without an account are answered the same.

    Errors: `invalid_request`.
    """
    await shop_of(request).platform.db.transact(lambda tx: accounts.proofs.ask(tx, data.email))
    return Registered(data.email)


@post("/auth/reset-password", summary="Set a new password", tags=["accounts"], status_code=200, opt=limited("auth"))
async def reset_password(request: AnyRequest, data: NewPassword) -> Response[Device]:
    """With the token of the letter; every session ends, every account elsewhere is parted. What was set up before
    anybody proved to read the address goes, too: second factor, addresses, where the cart would go.

    Errors: `link_invalid`, `password_too_common`, `invalid_request`, `busy`.
    """
    device = await accounts.proofs.reset(
        shop_of(request).caution, token=data.token, password=data.password, unproven=cart.closing.forget
    )
    return Response(Device(device), status_code=200, cookies=browsers.known(device))


@post("/auth/verify-email", summary="Verify an address", tags=["accounts"], status_code=204, opt=limited("auth"))
async def verify_email(request: AnyRequest, data: Link) -> None:
    """Signed in as who registered, with the token of the letter that came after it.

    Errors: `link_invalid`, `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    viewer, platform = someone(request), shop_of(request).platform
    await platform.db.transact(lambda tx: accounts.proofs.verify(tx, platform.seals, viewer, data.token))


@put("/me/password", summary="Change one's password", tags=["accounts"], status_code=204, opt=limited("auth"))
async def change_password(request: AnyRequest, data: PasswordChange) -> None:
    """Every other session ends, and every account elsewhere is parted.

    Errors: `invalid_credentials`, `password_too_common`, `sign_in_required`, `invalid_token`, `invalid_request`,
    `busy`.
    """
    await accounts.proofs.change_password(shop_of(request).caution, someone(request), old=data.old, new=data.new)


@get("/me", summary="Who am I", tags=["accounts"])
async def me(request: AnyRequest) -> Profile:
    """The signed-in person with their addresses.

    Errors: `sign_in_required`, `invalid_token`.
    """
    id = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        kept = await accounts.book.addresses(tx, id)
        default = next((one.address for one in kept if one.is_default), None)
        return Profile(await accounts.me(tx, id), [one.address for one in kept], default)


ROUTES = [register, forgot_password, reset_password, verify_email, me, change_password]
