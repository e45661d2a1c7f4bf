"""One's second factor: set up, confirmed, taken away."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import post
from msgspec import Meta

from tfmshop.commerce import accounts
from tfmshop.platform.security.passwords import LONGEST
from tfmshop.surface.http.context import AnyRequest, shop_of, someone
from tfmshop.surface.http.tiers import limited

Password = Annotated[str, Meta(max_length=LONGEST)]
Code = Annotated[str, Meta(min_length=6, max_length=20)]


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """One's password."""

    password: Password


class Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    """A code of the app."""

    code: Code


class Farewell(msgspec.Struct, forbid_unknown_fields=True):
    """One's password, and a last code."""

    password: Password
    code: Code


class Recovery(msgspec.Struct, frozen=True):
    """Codes for who lost the app, each good once. They are not shown again."""

    recovery_codes: list[str]


@post("/me/second-factor", summary="Set up a second factor", tags=["accounts"], opt=limited("auth"))
async def begin(request: AnyRequest, data: Proof) -> accounts.second_factor.Secret:
    """A secret for an app (TOTP). It counts once a code of it was confirmed.

    Errors: `invalid_credentials`, `second_factor_exists`, `sign_in_required`, `invalid_token`, `invalid_request`,
    `busy`.
    """
    shop = shop_of(request)
    return await accounts.second_factor.begin(
        shop.caution, someone(request), password=data.password, shop=shop.platform.config.text("SHOP_NAME")
    )


@post(
    "/me/second-factor/confirm",
    summary="Confirm a second factor",
    tags=["accounts"],
    status_code=200,
    opt=limited("auth"),
)
async def confirm(request: AnyRequest, data: Confirmation) -> Recovery:
    """With a code of the app; from now on signing in needs one. Every other session ends.

    Errors: `second_factor_invalid`, `second_factor_exists`, `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    platform = shop_of(request).platform
    viewer = someone(request)
    codes = await platform.db.transact(lambda tx: accounts.second_factor.confirm(tx, platform.seals, viewer, data.code))
    if codes is None:
        raise accounts.errors.SecondFactorInvalid
    return Recovery(codes)


@post(
    "/me/second-factor/drop",
    summary="Do without a second factor",
    tags=["accounts"],
    status_code=204,
    opt=limited("auth"),
)
async def drop(request: AnyRequest, data: Farewell) -> None:
    """With the password and a last code.

    Errors: `invalid_credentials`, `second_factor_invalid`, `sign_in_required`, `invalid_token`, `invalid_request`,
    `busy`.
    """
    await accounts.second_factor.drop(
        shop_of(request).caution, someone(request), password=data.password, code=data.code
    )


ROUTES = [begin, confirm, drop]
