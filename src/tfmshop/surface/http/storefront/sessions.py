"""Sessions: sign in, renew, list, end; with tokens in answers, or in the cookies of a browser."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.platform.observe import security
from tfmshop.platform.security.access import LIFETIME
from tfmshop.platform.security.passwords import LONGEST
from tfmshop.surface.http import browsers
from tfmshop.surface.http.context import AnyRequest, address_of, caller_of, shop_of, someone
from tfmshop.surface.http.tiers import limited

Token = Annotated[str, Meta(max_length=100)]
Code = Annotated[str, Meta(min_length=6, max_length=20, description="Of the app, or a recovery code.")]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who says they are who."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=LONGEST)]
    code: Code | None = None
    cookies: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """Proof of sign-in: send it as `Authorization: Bearer <access_token>`, and have it renewed with the refresh token.

    A refresh token is good once; one that comes again after more than ten seconds ends the session.
    """

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    device_token: str | None
    """Send it as `Device-Token` with the next sign-in of this person: then nobody else's guesses count against it."""


class Browser(msgspec.Struct, frozen=True):
    """What a page is told when the tokens are in cookies: what it sends as `CSRF-Token` with every change."""

    csrf_token: str
    expires_in: int


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token that came last; none where it is in a cookie."""

    refresh_token: Token | None = None


class Sessions(msgspec.Struct, frozen=True):
    """Where the person is signed in."""

    items: list[accounts.sessions.Session]


@post("/auth/login", summary="Sign in", tags=["accounts"], status_code=200, opt=limited("auth"))
async def sign_in(request: AnyRequest, data: SignIn) -> Response[Tokens | Browser]:
    """An access token for 15 minutes, and a refresh token for 30 days. Who has a second factor sends its `code`, too.
    A page asks for `cookies`: the tokens are in them, and the answer has what it sends as `CSRF-Token`.

    Errors: `invalid_credentials`, `second_factor_required`, `second_factor_invalid`, `too_many_tries`, `csrf_failed`,
    `invalid_request`, `busy`.
    """
    shop = shop_of(request)
    platform, caution, caller = shop.platform, shop.caution, caller_of(request)
    if data.cookies or request.headers.get("sec-fetch-site") == "cross-site":  # a page may guess, in its visitors' name
        browsers.from_our_page(request, platform.config.words("CORS_ORIGINS"))
    person, checked = await accounts.sign_in(caution, caller, email=data.email, password=data.password)

    signed = await platform.db.transact(
        lambda tx: accounts.second_factor.enter(tx, platform.seals, person, checked, data.code, caller)
    )
    if signed is None:
        security.tell("wrong second factor", person=person.id, address=caller.address)
        raise accounts.errors.SecondFactorInvalid
    told_of(request, signed, "password")
    return answer(platform, signed, caution.device_token(person.id, signed.kept, caller.device), cookies=data.cookies)


@post("/auth/refresh", summary="Renew a session", tags=["accounts"], status_code=200)
async def refresh(request: AnyRequest, data: Refresh) -> Response[Tokens | Browser]:
    """A new access token and a new refresh token; the old one is used up.

    Errors: `refresh_token_invalid`, `csrf_failed`, `invalid_request`.
    """
    shop = shop_of(request)
    platform = shop.platform
    token = _refresh_token(request, data)
    signed = await platform.db.transact(lambda tx: accounts.sessions.renew(tx, platform.seals, token))
    if signed is None:
        named = accounts.sessions.session_of(token)
        security.tell("refresh token refused", session=named, address=address_of(request))
        raise accounts.errors.RefreshInvalid
    device = shop.caution.known_device(signed.viewer.id, signed.kept, caller_of(request).device)
    return answer(platform, signed, device, cookies=data.refresh_token is None)


@post("/auth/logout", summary="Sign out", tags=["accounts"], status_code=204)
async def sign_out(request: AnyRequest, data: Refresh) -> Response[None]:
    """End the session of a refresh token. Its access token changes nothing more, and reads for 15 minutes at most.

    Errors: `csrf_failed`, `refresh_token_invalid`, `invalid_request`.
    """
    platform = shop_of(request).platform
    token = _refresh_token(request, data)
    if data.refresh_token is None:
        browsers.with_token(request, platform.seals, accounts.sessions.session_of(token))
    await platform.db.transact(lambda tx: accounts.sessions.leave(tx, platform.seals, token))
    return Response(
        None, status_code=204, cookies=browsers.dropped() if data.refresh_token is None else [],
        headers={"clear-site-data": '"cache", "storage"'},
    )  # fmt: skip


@get("/auth/csrf-token", summary="What a page sends with changes", tags=["accounts"], sync_to_thread=False)
def show_csrf_token(request: AnyRequest) -> Browser:
    """For a page that was loaded anew, whose session is in cookies.

    Errors: `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)
    if viewer.session is None or viewer.watched_by is not None:
        raise accounts.SignInRequired
    token = browsers.csrf_token(shop_of(request).platform.seals, viewer.session)
    return Browser(token, int(LIFETIME.total_seconds()))


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


def told_of(request: AnyRequest, signed: accounts.sessions.Signed, way: str) -> None:
    """Note that somebody signed in."""
    security.tell(
        "signed in", usual=True, person=signed.viewer.id, session=signed.session, way=way, strong=signed.viewer.strong,
        address=address_of(request),
    )  # fmt: skip


def answer(
    platform: Platform, signed: accounts.sessions.Signed, device: str | None, *, cookies: bool
) -> Response[Tokens | Browser]:
    """The tokens of a session: in the answer, or in cookies."""
    access, seconds = platform.tokens.issue(signed.viewer), int(LIFETIME.total_seconds())
    if not cookies:
        told = Tokens(access, "Bearer", seconds, signed.refresh_token, device)
        return Response(told, status_code=200, cookies=browsers.known(device))
    return Response(
        Browser(browsers.csrf_token(platform.seals, signed.session), seconds), status_code=200,
        cookies=browsers.kept(access, signed.refresh_token, device),
    )  # fmt: skip


def _refresh_token(request: AnyRequest, data: Refresh) -> str:
    """The refresh token of the body, or of a browser's cookie. `RefreshInvalid`, `ForgedRequest`."""
    if data.refresh_token is not None:
        return data.refresh_token
    cookie = request.cookies.get(browsers.REFRESH)
    if cookie is None:
        raise accounts.errors.RefreshInvalid
    browsers.from_our_page(request, shop_of(request).platform.config.words("CORS_ORIGINS"))
    return cookie


ROUTES = [sign_in, refresh, sign_out, show_csrf_token, list_sessions, end_session, end_sessions]
