"""What every route needs: the shop behind it, who is asking, and the owner of a cart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection

from tfmshop.commerce import accounts, cart, checkout
from tfmshop.commerce.payments import Providers
from tfmshop.platform import Platform, clock, codec
from tfmshop.platform.checks import Checks
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security import openid
from tfmshop.platform.security.access import Viewer, digest
from tfmshop.surface.http import browsers
from tfmshop.surface.http.edge.sender import household

AnyRequest = Request[Any, Any, Any]
SIGNING_IN: Final = "/api/v1/auth/"
"""Where a token that is over is no reason to refuse anybody."""
OVER, NAMED = "session_over", "named"
"""What is noted of a request: that its cookie is of a session that ended, and who its token names."""


class WrongContentType(
    ShopError,
    kind=Kind.WRONG_TYPE,
    code="unsupported_media_type",
    says="Send the body as {wanted}, not as {given}.",
):
    """The body has a type that the route does not read."""

    given: str
    wanted: str = "application/json"


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is decoded straight into what its route declares: text is no number, unknown is refused."""

    async def json(self) -> Any:
        """The body as the route's `data`. `WrongContentType`, `codec.Malformed`, `codec.Unfit`."""
        kind = self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise WrongContentType(given=kind[:100])
        if (coding := self.headers.get("content-encoding", "identity")) != "identity":
            raise WrongContentType(given=coding[:100])
        codec.check_depth(await self.body())
        wanted = self.route_handler.parsed_data_field
        return codec.decode_as(await self.body(), wanted.annotation if wanted else object)


class InvalidToken(
    ShopError, kind=Kind.UNAUTHENTICATED, code="invalid_token", says="The access token is not valid or has expired."
):
    """A bearer token came, and it is not one of ours, was altered, or is too old."""


class OnlyLooking(
    ShopError, kind=Kind.FORBIDDEN, code="only_looking", says="Whoever views the shop as somebody else changes nothing."
):
    """Staff look at the shop as a customer sees it."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What the routes work with."""

    platform: Platform
    providers: Providers
    till: checkout.Till
    sign_in_providers: Mapping[str, openid.Provider] = field(default_factory=dict)
    checks: Checks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", Checks(self.platform))
        self.providers.listen(partial(checkout.hear, self.platform.db, self.providers))

    @property
    def caution(self) -> accounts.Caution:
        """Who checks passwords."""
        platform = self.platform
        tries = platform.config.number("RATE_LIMIT_AUTH") if platform.config.flag("ENABLE_RATE_LIMIT") else None
        return accounts.Caution(platform.db, platform.passwords, platform.seals, tries)

    @property
    def currency(self) -> str:
        """The currency of new carts."""
        return self.platform.config.text("SHOP_CURRENCY")

    def cart_expires_at(self) -> datetime:
        """When a cart that is touched now goes away."""
        return clock.now() + timedelta(days=self.platform.config.number("CART_DAYS"))

    @property
    def reserves_in_cart(self) -> bool:
        """Whether units are held as soon as they are in a cart."""
        return self.platform.config.text("RESERVE_AT") == "cart"

    def reserved_until(self) -> datetime:
        """When units that are reserved now go back."""
        return clock.now() + timedelta(minutes=self.platform.config.number("RESERVATION_MINUTES"))


def shop_of(request: ASGIConnection[Any, Any, Any, Any]) -> Shop:
    """The shop behind this request."""
    return cast("Shop", request.scope["state"]["shop"])


def viewer_of(request: ASGIConnection[Any, Any, Any, Any]) -> Viewer | None:
    """Who is asking, or None without a token: a bearer's, or a browser's in its cookie. `InvalidToken`,
    `ForgedRequest`.
    """
    header = request.headers.get("authorization")
    if header is None:
        viewer = _browser(request)
    else:
        scheme, _, token = header.partition(" ")
        viewer = _named_by(request, token.strip()) if scheme.lower() == "bearer" else None
        if viewer is None:
            raise InvalidToken
    return viewer


async def let_the_current_act(request: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a change with a token whose session ended, also where guests may change, and every use of one of staff who
    look as somebody; a browser's cookie is then as none, because scripts cannot drop it. A customer's token goes on
    reading as long as it lasts. `SignInRequired`, `OnlyLooking`.
    """
    header = request.headers.get("authorization")
    token = request.cookies.get(browsers.ACCESS) if header is None else header.partition(" ")[2].strip()
    changes = request.scope.get("method") not in browsers.SAFE
    if not token or (changes and request.scope["path"].startswith(SIGNING_IN)):
        return
    platform = shop_of(request).platform
    viewer = _named_by(request, token)
    if viewer is None or not (changes or viewer.watched_by):
        return
    if changes and viewer.watched_by is not None:
        raise OnlyLooking
    try:
        async with platform.db.read() as tx:
            await accounts.sessions.must_be_current(tx, viewer)
    except accounts.SignInRequired:
        if header is not None:
            raise
        request.scope["state"][OVER] = True


def _named_by(request: ASGIConnection[Any, Any, Any, Any], token: str) -> Viewer | None:
    """Who the one access token of a request names, read once."""
    state = request.scope["state"]
    if NAMED not in state:
        state[NAMED] = shop_of(request).platform.tokens.read(token)
    return cast("Viewer | None", state[NAMED])


def _browser(request: ASGIConnection[Any, Any, Any, Any]) -> Viewer | None:
    """Who a browser is signed in as; nobody with a cookie that is too old, because browsers send those, too."""
    cookie = request.cookies.get(browsers.ACCESS)
    if cookie is None or OVER in request.scope["state"]:
        return None
    platform = shop_of(request).platform
    viewer = _named_by(request, cookie)
    if viewer is not None and request.scope.get("method") not in browsers.SAFE:
        browsers.from_our_page(request, platform.config.words("CORS_ORIGINS"))
        browsers.with_token(request, platform.seals, viewer.session)
    return viewer


def caller_of(request: AnyRequest) -> accounts.Caller:
    """Where a request comes from."""
    address = address_of(request)
    return accounts.Caller(
        address, household(address), request.headers.get("user-agent", ""),
        request.headers.get("device-token") or request.cookies.get(browsers.DEVICE),
    )  # fmt: skip


def address_of(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client else ""


def someone(request: AnyRequest) -> Viewer:
    """The signed-in person. `SignInRequired`, `InvalidToken`."""
    viewer = viewer_of(request)
    if viewer is None:
        raise accounts.SignInRequired
    return viewer


def signed_in(request: AnyRequest) -> UUID:
    """The id of the signed-in person. `SignInRequired`, `InvalidToken`."""
    return someone(request).id


def caller_in(owner: cart.Owner) -> str:
    """How somebody who owns things by id or token is called in the scope of an `Idempotency-Key`."""
    return f"customer {owner.customer_id}" if owner.customer_id else f"guest {(owner.token_hash or b'').hex()}"


def owner_of(request: AnyRequest, token: str | None) -> cart.Owner:
    """Whose cart may be used: the bearer's of a cart token, or the signed-in person's. `InvalidToken`."""
    viewer = viewer_of(request)
    return cart.Owner(digest(token) if token else None, viewer.id if viewer else None)
