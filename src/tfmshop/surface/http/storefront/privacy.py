"""What the shop knows of the signed-in person: given to them, or forgotten."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from msgspec import Meta

from tfmshop.commerce import privacy
from tfmshop.platform.security.passwords import LONGEST
from tfmshop.surface.http.context import AnyRequest, shop_of, someone
from tfmshop.surface.http.tiers import limited


class Farewell(msgspec.Struct, forbid_unknown_fields=True):
    """The password, as proof."""

    password: Annotated[str, Meta(max_length=LONGEST)]


@get("/me/export", summary="Everything about me", tags=["accounts"])
async def export(request: AnyRequest) -> privacy.Known:
    """Account, addresses, wishes, sessions, cart, orders, returns and reviews, as JSON.

    Errors: `sign_in_required`, `invalid_token`.
    """
    viewer = someone(request)
    async with shop_of(request).platform.db.read() as tx:
        return await privacy.export(tx, viewer)


@post("/me/erase", summary="Forget me", tags=["accounts"], status_code=204, opt=limited("auth"))
async def erase(request: AnyRequest, data: Farewell) -> None:
    """Close the account for good, and take away whatever tells who it was. Not while orders are under way.

    Errors: `invalid_credentials`, `orders_under_way`, `last_admin`, `sign_in_required`, `invalid_token`,
    `invalid_request`, `busy`.
    """
    await privacy.erase(shop_of(request).caution, someone(request), password=data.password)


ROUTES = [export, erase]
