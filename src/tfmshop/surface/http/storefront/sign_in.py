"""Signing in with an account elsewhere (OpenID Connect), and which ones open one's account."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.platform.db import Tx
from tfmshop.platform.observe import security
from tfmshop.platform.security import openid
from tfmshop.platform.security.passwords import LONGEST
from tfmshop.surface.http import browsers
from tfmshop.surface.http.context import AnyRequest, Shop, address_of, caller_of, shop_of, signed_in, someone
from tfmshop.surface.http.storefront.sessions import Browser, Code, Tokens, answer, told_of
from tfmshop.surface.http.tiers import limited

Text = Annotated[str, Meta(min_length=1, max_length=4000)]


class ProviderList(msgspec.Struct, frozen=True):
    """Whose accounts open one here."""

    items: list[str]


class FlowBegun(msgspec.Struct, frozen=True):
    """Send the browser there, and keep the flow until it is back."""

    authorization_url: str
    flow: str


class Back(msgspec.Struct, forbid_unknown_fields=True):
    """What the page kept, and what the provider sent back."""

    flow: Annotated[str, Meta(max_length=100)]
    state: Annotated[str, Meta(max_length=200)]
    code: Text


class SignInElsewhere(Back, forbid_unknown_fields=True):
    """The same, with a code of the second factor for who has one here: without it a new flow must begin."""

    second_factor: Code | None = None
    cookies: bool = False


class JoinElsewhere(Back, forbid_unknown_fields=True):
    """The same, with the password of the account here, if it has one."""

    password: Annotated[str, Meta(max_length=LONGEST)] | None = None


class Identities(msgspec.Struct, frozen=True):
    """The accounts elsewhere that open one's account."""

    items: list[accounts.identities.Identity]


@get("/auth/providers", summary="Whose accounts open one here", tags=["accounts"], sync_to_thread=False)
def list_providers(request: AnyRequest) -> ProviderList:
    """The names of the providers of OpenID Connect that this shop uses."""
    return ProviderList(sorted(shop_of(request).sign_in_providers))


@post(
    "/auth/oidc/{provider:str}/begin",
    summary="Sign in elsewhere",
    tags=["accounts"],
    status_code=200,
    opt=limited("auth"),
)
async def begin(request: AnyRequest, provider: str) -> FlowBegun:
    """Where to send the browser, which comes back to SHOP_URL/sign-in/{provider}.

    Errors: `sign_in_provider_unknown`, `sign_in_provider_unavailable`.
    """
    shop = shop_of(request)
    begun = await _provider(shop, provider).begin(shop.platform.seals, _way_back(shop, provider))
    return FlowBegun(begun.authorization_url, begun.flow)


@post(
    "/auth/oidc/{provider:str}/finish",
    summary="Come back signed in",
    tags=["accounts"],
    status_code=200,
    opt=limited("auth"),
)
async def finish(request: AnyRequest, provider: str, data: SignInElsewhere) -> Response[Tokens | Browser]:
    """A session for whoever the provider says it is; the first time perhaps with a new account.

    Errors: `sign_in_provider_unknown`, `sign_in_flow_invalid`, `sign_in_provider_refused`,
    `sign_in_provider_unavailable`, `sign_in_address_unverified`, `account_closed`, `second_factor_required`,
    `second_factor_invalid`, `csrf_failed`, `invalid_request`.
    """
    shop, caller = shop_of(request), caller_of(request)
    platform = shop.platform
    if data.cookies:
        browsers.from_our_page(request, platform.config.words("CORS_ORIGINS"))
    claims = await _claims(shop, provider, data)

    async def work(tx: Tx) -> accounts.sessions.Signed | None:
        person, kept = await accounts.identities.sign_in(tx, claims)
        return await accounts.second_factor.enter(tx, platform.seals, person, kept, data.second_factor, caller)

    signed = await platform.db.transact(work)
    if signed is None:
        security.tell("wrong second factor", provider=provider, address=caller.address)
        raise accounts.errors.SecondFactorInvalid
    told_of(request, signed, provider)
    device = shop.caution.device_token(signed.viewer.id, signed.kept, caller.device)
    return answer(platform, signed, device, cookies=data.cookies)


@get("/me/identities", summary="My accounts elsewhere", tags=["accounts"])
async def list_identities(request: AnyRequest) -> Identities:
    """Which accounts elsewhere open one's account here.

    Errors: `sign_in_required`, `invalid_token`.
    """
    customer = signed_in(request)
    async with shop_of(request).platform.db.read() as tx:
        return Identities(await accounts.identities.listed(tx, customer))


@post(
    "/me/identities/{provider:str}",
    summary="Join an account elsewhere",
    tags=["accounts"],
    status_code=204,
    opt=limited("auth"),
)
async def join(request: AnyRequest, provider: str, data: JoinElsewhere) -> None:
    """Signed in here, with the password and what came back from there: from now on that account opens this one. Without
    a password, `sign_in_required` asks for a session that began within 15 minutes. The person gets a letter.

    Errors: `identity_taken`, `invalid_credentials`, `sign_in_provider_unknown`, `sign_in_flow_invalid`,
    `sign_in_provider_refused`, `sign_in_provider_unavailable`, `sign_in_required`, `invalid_token`, `invalid_request`,
    `busy`.
    """
    viewer, shop = someone(request), shop_of(request)
    await accounts.identities.may_join(shop.caution, viewer, data.password)
    claims = await _claims(shop, provider, data)
    await shop.platform.db.transact(lambda tx: accounts.identities.join(tx, viewer, claims))
    security.tell("account elsewhere joined", person=viewer.id, provider=provider, address=address_of(request))


@delete("/me/identities/{provider:str}", summary="Part from an account elsewhere", tags=["accounts"])
async def part(request: AnyRequest, provider: str) -> None:
    """It opens this one no more; not the only way in.

    Errors: `identity_not_found`, `last_way_in`, `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)

    async def work(tx: Tx) -> None:
        await accounts.sessions.must_live(tx, viewer)
        await accounts.identities.drop(tx, viewer.id, provider)

    await shop_of(request).platform.db.transact(work)


async def _claims(shop: Shop, provider: str, data: Back) -> openid.Claims:
    return await _provider(shop, provider).finish(
        shop.platform.seals, _way_back(shop, provider), flow=data.flow, state=data.state, code=data.code
    )


def _provider(shop: Shop, name: str) -> openid.Provider:
    provider = shop.sign_in_providers.get(name)
    if provider is None:
        raise openid.UnknownProvider(name[:100])
    return provider


def _way_back(shop: Shop, provider: str) -> str:
    return f"{shop.platform.config.text('SHOP_URL').rstrip('/')}/sign-in/{provider}"


ROUTES = [list_providers, begin, finish, list_identities, join, part]
