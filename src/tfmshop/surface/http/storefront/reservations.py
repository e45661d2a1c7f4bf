"""Units that are held for a cart, for some minutes."""

from __future__ import annotations

from uuid import UUID

from litestar import delete, post

from tfmshop.commerce import cart
from tfmshop.surface.http.context import AnyRequest, owner_of, shop_of
from tfmshop.surface.http.storefront.carts import CartToken, changed


@post("/carts/{cart_id:uuid}/reservation", summary="Hold the units of a cart", tags=["carts"], status_code=200)
async def reserve(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """Hold every line for some minutes, all or none; `reserved_until` says how long. Again: anew for as long.

    Errors: `cart_not_found`, `cart_ordered`, `out_of_stock`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    until = shop_of(request).reserved_until()
    return await changed(request, cart_id, owner, lambda tx: cart.hold(tx, cart_id, owner, until))


@delete("/carts/{cart_id:uuid}/reservation", summary="Let go of held units", tags=["carts"], status_code=200)
async def let_go(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """Give back what the cart holds.

    Errors: `cart_not_found`, `cart_ordered`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.let_go(tx, cart_id, owner))


ROUTES = [reserve, let_go]
