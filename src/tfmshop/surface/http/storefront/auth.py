"""Accounts: register, sign in, and who am I."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.commerce.vocabulary import Address, Email
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import LIFETIME
from tfmshop.platform.security.passwords import LONGEST, SHORTEST
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in, someone

Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]
Token = Annotated[str, Meta(max_length=100)]
Code = Annotated[str, Meta(min_length=6, max_length=20, description="Of the app, or a recovery code.")]


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
    code: Code | None = None


class Tokens(msgspec.Struct, frozen=True):
    """Proof of sign-in: send it as `Authorization: Bearer <access_token>`, and have it renewed with the refresh token.

    A refresh token is good once; one that comes again after more than ten seconds ends the session.
    """

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token that came last."""

    refresh_token: Token


class Forgotten(msgspec.Struct, forbid_unknown_fields=True):
    """Whose password was forgotten."""

    email: Email


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The token of the letter, and what the password shall be."""

    token: Token
    password: Password


class Link(msgspec.Struct, forbid_unknown_fields=True):
    """The token of the letter."""

    token: Token


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """The password as it is, and as it shall be."""

    old: Annotated[str, Meta(max_length=LONGEST)]
    new: Password


class Sessions(msgspec.Struct, frozen=True):
    """Where the person is signed in."""

    items: list[accounts.sessions.Session]


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
async def sign_in(request: AnyRequest, data: SignIn) -> Tokens:
    """An access token for 15 minutes, and a refresh token for 30 days. Who has a second factor sends its `code`, too.

    Errors: `invalid_credentials`, `second_factor_required`, `second_factor_invalid`, `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    person, checked = await accounts.sign_in(
        platform.db, platform.passwords, email=data.email, password=data.password
    )  # fmt: skip
    agent, address = request.headers.get("user-agent", ""), request.client.host if request.client else ""

    async def work(tx: Tx) -> accounts.sessions.Signed | None:
        right = await accounts.second_factor.passed(tx, platform.seals, person.id, data.code)
        if right is False:
            return None
        who = replace(person, strong=bool(right))
        return await accounts.sessions.begin(tx, platform.seals, who, checked, user_agent=agent, address=address)

    signed = await platform.db.transact(work)
    if signed is None:
        raise accounts.SecondFactorInvalid
    return _tokens(platform, signed)


@post("/auth/refresh", summary="Renew a session", tags=["accounts"], status_code=200)
async def refresh(request: AnyRequest, data: Refresh) -> Tokens:
    """A new access token and a new refresh token; the old one is used up.

    Errors: `refresh_token_invalid`, `invalid_request`.
    """
    platform = shop_of(request).platform
    signed = await platform.db.transact(
        lambda tx: accounts.sessions.renew(tx, platform.seals, data.refresh_token)
    )  # fmt: skip
    if signed is None:
        raise accounts.RefreshInvalid
    return _tokens(platform, signed)


@post("/auth/logout", summary="Sign out", tags=["accounts"], status_code=204)
async def sign_out(request: AnyRequest, data: Refresh) -> None:
    """End the session of a refresh token. Access tokens of it are good for at most 15 minutes more.

    Errors: `invalid_request`.
    """
    platform = shop_of(request).platform
    await platform.db.transact(lambda tx: accounts.sessions.leave(tx, platform.seals, data.refresh_token))


@post("/auth/forgot-password", summary="Ask for a new password", tags=["accounts"], status_code=202)
async def forgot_password(request: AnyRequest, data: Forgotten) -> Registered:
    """Have a letter with a link sent, which is good for an hour. Addresses without an account are answered the same.

    Errors: `invalid_request`.
    """
    await shop_of(request).platform.db.transact(lambda tx: accounts.proofs.ask(tx, data.email))
    return Registered(data.email)


@post("/auth/reset-password", summary="Set a new password", tags=["accounts"], status_code=204)
async def reset_password(request: AnyRequest, data: NewPassword) -> None:
    """With the token of the letter; every session ends.

    Errors: `link_invalid`, `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    await accounts.proofs.reset(
        platform.db, platform.passwords, platform.seals, token=data.token, password=data.password
    )


@post("/auth/verify-email", summary="Verify an address", tags=["accounts"], status_code=204)
async def verify_email(request: AnyRequest, data: Link) -> None:
    """With the token of the letter that came after registering.

    Errors: `link_invalid`, `invalid_request`.
    """
    platform = shop_of(request).platform
    await platform.db.transact(lambda tx: accounts.proofs.verify(tx, platform.seals, data.token))


@put("/me/password", summary="Change one's password", tags=["accounts"], status_code=204)
async def change_password(request: AnyRequest, data: PasswordChange) -> None:
    """Every other session ends.

    Errors: `invalid_credentials`, `sign_in_required`, `invalid_token`, `invalid_request`, `busy`.
    """
    platform = shop_of(request).platform
    await accounts.proofs.change_password(platform.db, platform.passwords, someone(request), old=data.old, new=data.new)


@get("/me/sessions", summary="Where am I signed in", tags=["accounts"])
async def list_sessions(request: AnyRequest) -> Sessions:
    """The sessions of the signed-in person, the newest first.

    Errors: `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)
    async with shop_of(request).platform.db.read() as tx:
        return Sessions(await accounts.sessions.listed(tx, viewer))


@delete("/me/sessions/{session_id:uuid}", summary="End a session", tags=["accounts"])
async def end_session(request: AnyRequest, session_id: UUID) -> None:
    """Sign out elsewhere.

    Errors: `session_not_found`, `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> None:
        await accounts.sessions.must_live(tx, viewer)
        await accounts.sessions.end(tx, viewer.id, session_id)

    await shop_of(request).platform.db.transact(work)


@delete("/me/sessions", summary="End all other sessions", tags=["accounts"])
async def end_sessions(request: AnyRequest) -> None:
    """Sign out everywhere else.

    Errors: `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> None:
        await accounts.sessions.must_live(tx, viewer)
        await accounts.sessions.end_all(tx, viewer.id, "ended by the person", but=viewer.session)

    await shop_of(request).platform.db.transact(work)


def _tokens(platform: Platform, signed: accounts.sessions.Signed) -> Tokens:
    return Tokens(
        platform.tokens.issue(signed.viewer), "Bearer", int(LIFETIME.total_seconds()), signed.refresh_token
    )  # fmt: skip


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


ROUTES = [
    register, sign_in, refresh, sign_out, forgot_password, reset_password, verify_email, me, change_password,
    list_sessions, end_session, end_sessions,
]  # fmt: skip
