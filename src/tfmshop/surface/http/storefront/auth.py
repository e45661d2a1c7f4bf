"""Accounts: register, sign in, and who am I."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.commerce.vocabulary import Address, Email
from tfmshop.platform.security.access import LIFETIME
from tfmshop.platform.security.passwords import LONGEST, SHORTEST
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in

Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    email: Email
    password: Password
    name: Annotated[str, Meta(min_length=1, max_length=200)]


class Registered(msgspec.Struct, frozen=True):
    """What everyone is told who registers, whether the address had an account or not."""

    email: str


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who says they are who."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=LONGEST)]


class Session(msgspec.Struct, frozen=True):
    """Proof of sign-in: send it as `Authorization: Bearer <access_token>`."""

    access_token: str
    token_type: str
    expires_in: int


class Profile(msgspec.Struct, frozen=True):
    """The signed-in person."""

    customer: accounts.Customer
    addresses: list[Address]
    default_address: Address | None


@post("/auth/register", summary="Register", tags=["accounts"])
async def register(request: AnyRequest, data: Registration) -> Registered:
    """Make an account. An address that has one already changes nothing and is answered the same.

    Errors: `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    await accounts.register(platform.db, platform.passwords, email=data.email, name=data.name, password=data.password)
    return Registered(data.email)


@post("/auth/login", summary="Sign in", tags=["accounts"], status_code=200)
async def sign_in(request: AnyRequest, data: SignIn) -> Session:
    """An access token for 15 minutes.

    Errors: `invalid_credentials`, `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    viewer = await accounts.sign_in(platform.db, platform.passwords, email=data.email, password=data.password)
    return Session(platform.tokens.issue(viewer), "Bearer", int(LIFETIME.total_seconds()))


@get("/me", summary="Who am I", tags=["accounts"])
async def me(request: AnyRequest) -> Profile:
    """The signed-in person with their addresses.

    Errors: `sign_in_required`, `invalid_token`.
    """
    id = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        return Profile(
            await accounts.me(tx, id), await accounts.addresses(tx, id), await accounts.default_address(tx, id)
        )


ROUTES = [register, sign_in, me]
