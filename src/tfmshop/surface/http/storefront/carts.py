"""Carts: made, filled, changed. Every write answers with the cart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import accounts, cart, inventory
from tfmshop.commerce.vocabulary import Address, Email, Quantity
from tfmshop.platform import ids
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import digest
from tfmshop.surface.http.context import AnyRequest, Shop, caller_in, owner_of, shop_of, someone
from tfmshop.surface.http.once import once
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import OnceKey

CartToken = Annotated[
    str | None, Parameter(header="Cart-Token", max_length=100, description="The token that came with a guest's cart.")
]


class NewLine(msgspec.Struct, forbid_unknown_fields=True):
    """What goes into the cart: a variant, or a product (then its first variant)."""

    EITHER: ClassVar = ("variant_id", "product_id")
    variant_id: UUID | None = None
    product_id: UUID | None = None
    quantity: Quantity = 1


class ChangedLine(msgspec.Struct, forbid_unknown_fields=True):
    """How many of it."""

    quantity: Quantity


Currency = Annotated[
    str | None,
    Parameter(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217; a product needs a price in it. Default: the shop's."),
]


class Whose(msgspec.Struct, forbid_unknown_fields=True):
    """Who buys."""

    email: Email


class Guest(msgspec.Struct, forbid_unknown_fields=True):
    """The cart that a guest had."""

    cart_id: UUID


class Coupon(msgspec.Struct, forbid_unknown_fields=True):
    """A coupon, as the buyer writes it."""

    code: Annotated[str, Meta(min_length=1, max_length=60)]


class Shipping(msgspec.Struct, forbid_unknown_fields=True):
    """One of the cart's shipping choices."""

    method: Annotated[str, Meta(min_length=1, max_length=30)]


@post("/carts", summary="Make a cart", tags=["carts"])
async def create_cart(request: AnyRequest, currency: Currency = None) -> cart.Cart:
    """An empty cart. Keep its `token` for `Cart-Token`: it is not shown again. Errors: `invalid_request`."""
    shop = shop_of(request)
    token = ids.token()
    owner = cart.Owner(digest(token))

    async def work(tx: Tx) -> cart.Cart:
        id = await cart.create(tx, digest(token), currency or shop.currency, shop.cart_expires_at())
        return await cart.view(tx, id, owner)

    made = await shop.platform.db.transact(work)
    return msgspec.structs.replace(made, token=token)


@get("/carts/mine", summary="The signed-in customer's cart", tags=["carts"])
async def my_cart(request: AnyRequest, currency: Currency = None) -> cart.Cart:
    """The one open cart of the signed-in customer, made when there is none: in `currency`, or else the shop's.

    One that is there goes on in its own currency, unless it is empty.

    Errors: `sign_in_required`, `invalid_token`, `invalid_request`.
    """
    shop = shop_of(request)
    viewer = someone(request)

    async def work(tx: Tx) -> cart.Cart:
        await accounts.sessions.must_be_current(tx, viewer)
        id = await cart.mine(tx, viewer.id, currency, shop.currency, shop.cart_expires_at())
        return await cart.view(tx, id, cart.Owner(customer_id=viewer.id))

    db = shop.platform.db
    return await (db.transact(work) if viewer.watched_by is None else db.rehearse(work))


@post("/carts/mine/merge", summary="Bring a guest's cart along", tags=["carts"], status_code=200)
async def merge_cart(request: AnyRequest, data: Guest, cart_token: CartToken = None) -> cart.Cart:
    """After signing in: what is in the guest's cart (its id, and its token as `Cart-Token`) goes into one's own.

    Errors: `sign_in_required`, `invalid_token`, `cart_not_found`, `cart_ordered`, `wrong_currency`, `invalid_request`.
    """
    shop = shop_of(request)
    viewer = someone(request)

    async def work(tx: Tx) -> cart.Cart:
        await accounts.sessions.must_live(tx, viewer)
        id = await cart.mine(tx, viewer.id, None, shop.currency, shop.cart_expires_at())
        await cart.merge(tx, id, data.cart_id, digest(cart_token) if cart_token else None)
        return await _held(tx, shop, id, cart.Owner(customer_id=viewer.id))

    return await shop.platform.db.transact(work)


@get("/carts/{cart_id:uuid}", summary="Show a cart", tags=["carts"])
async def show_cart(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """The cart with live prices, stock and warnings.

    Errors: `cart_not_found`, `invalid_token`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return await cart.view(tx, cart_id, owner_of(request, cart_token))


@post("/carts/{cart_id:uuid}/lines", summary="Add to a cart", tags=["carts"])
async def add_line(
    request: AnyRequest, cart_id: UUID, data: NewLine, cart_token: CartToken = None, idempotency_key: OnceKey = None
) -> Response[cart.Cart]:
    """Put units of a variant or product into the cart; a second time adds to its line.

    Errors: `idempotency_key_reused`, `request_in_progress`, `cart_not_found`, `cart_ordered`, `product_not_found`,
    `out_of_stock`, `too_many_lines`, `quantity_too_large`, `wrong_currency`, `invalid_request`, `invalid_token`.
    """
    if (data.variant_id is None) == (data.product_id is None):
        raise InvalidField("variant_id", "Give either variant_id or product_id.")
    shop = shop_of(request)
    owner = owner_of(request, cart_token)

    async def work(tx: Tx) -> cart.Cart:
        await cart.add(
            tx, cart_id, owner, variant_id=data.variant_id, product_id=data.product_id, quantity=data.quantity,
            expires_at=shop.cart_expires_at(),
        )  # fmt: skip
        return await _held(tx, shop, cart_id, owner, strict=True)

    return await once(request, idempotency_key, caller_in(owner), work)


@patch("/carts/{cart_id:uuid}/lines/{line_id:uuid}", summary="Change a line", tags=["carts"])
async def change_line(
    request: AnyRequest, cart_id: UUID, line_id: UUID, data: ChangedLine, cart_token: CartToken = None
) -> cart.Cart:
    """Set how many units a line has.

    Errors: `cart_not_found`, `cart_ordered`, `line_not_found`, `out_of_stock`, `invalid_request`, `invalid_token`.
    """
    shop = shop_of(request)
    owner = owner_of(request, cart_token)

    async def work(tx: Tx) -> cart.Cart:
        await cart.change(tx, cart_id, owner, line_id, data.quantity, shop.cart_expires_at())
        return await _held(tx, shop, cart_id, owner)

    return await shop.platform.db.transact(work)


@delete("/carts/{cart_id:uuid}/lines/{line_id:uuid}", summary="Remove a line", tags=["carts"], status_code=200)
async def remove_line(request: AnyRequest, cart_id: UUID, line_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """Take a line out of the cart.

    Errors: `cart_not_found`, `cart_ordered`, `line_not_found`, `invalid_token`.
    """
    return await _remove(request, owner_of(request, cart_token), cart_id, line_id)


@delete("/carts/{cart_id:uuid}/lines", summary="Empty a cart", tags=["carts"], status_code=200)
async def remove_lines(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """Take every line out of the cart.

    Errors: `cart_not_found`, `cart_ordered`, `invalid_token`.
    """
    return await _remove(request, owner_of(request, cart_token), cart_id, None)


@put("/carts/{cart_id:uuid}/email", summary="Say who buys", tags=["carts"])
async def put_email(request: AnyRequest, cart_id: UUID, data: Whose, cart_token: CartToken = None) -> cart.Cart:
    """Set the e-mail address that hears of the order.

    Errors: `cart_not_found`, `cart_ordered`, `invalid_request`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.describe(tx, cart_id, owner, email=data.email))


@put("/carts/{cart_id:uuid}/address", summary="Say where it goes", tags=["carts"])
async def put_address(request: AnyRequest, cart_id: UUID, data: Address, cart_token: CartToken = None) -> cart.Cart:
    """Set the address that the order goes to.

    Errors: `cart_not_found`, `cart_ordered`, `invalid_request`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.describe(tx, cart_id, owner, address=data))


@put("/carts/{cart_id:uuid}/coupon", summary="Use a coupon", tags=["carts"])
async def put_coupon(request: AnyRequest, cart_id: UUID, data: Coupon, cart_token: CartToken = None) -> cart.Cart:
    """Put a coupon into the cart, in place of the one it had.

    Errors: `cart_not_found`, `cart_ordered`, `coupon_invalid`, `invalid_request`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.set_coupon(tx, cart_id, owner, data.code))


@delete("/carts/{cart_id:uuid}/coupon", summary="Do without the coupon", tags=["carts"], status_code=200)
async def drop_coupon(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> cart.Cart:
    """Take the coupon out of the cart.

    Errors: `cart_not_found`, `cart_ordered`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.set_coupon(tx, cart_id, owner, None))


@put("/carts/{cart_id:uuid}/shipping", summary="Say how it is sent", tags=["carts"])
async def put_shipping(request: AnyRequest, cart_id: UUID, data: Shipping, cart_token: CartToken = None) -> cart.Cart:
    """Choose one of the cart's `shipping_choices`.

    Errors: `cart_not_found`, `cart_ordered`, `shipping_method_not_found`, `invalid_request`, `invalid_token`.
    """
    owner = owner_of(request, cart_token)
    return await changed(request, cart_id, owner, lambda tx: cart.set_shipping(tx, cart_id, owner, data.method))


@get("/carts/{cart_id:uuid}/why", summary="Why it costs that", tags=["carts"])
async def show_why(request: AnyRequest, cart_id: UUID, cart_token: CartToken = None) -> list[cart.Reason]:
    """Every rule that was looked at (lists, offers, shipping, taxes): whether it was applied, and why.

    Errors: `cart_not_found`, `invalid_token`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return await cart.why(tx, cart_id, owner_of(request, cart_token))


async def _remove(request: AnyRequest, owner: cart.Owner, cart_id: UUID, line_id: UUID | None) -> cart.Cart:
    shop = shop_of(request)

    async def work(tx: Tx) -> cart.Cart:
        await cart.remove(tx, cart_id, owner, line_id)
        return await _held(tx, shop, cart_id, owner)

    return await shop.platform.db.transact(work)


async def _held(tx: Tx, shop: Shop, cart_id: UUID, owner: cart.Owner, *, strict: bool = False) -> cart.Cart:
    """The changed cart, its units held where the shop does so.

    Where they cannot be, for what others took meanwhile, nothing is held, or nothing changed if it is `strict`.
    """
    if shop.reserves_in_cart:
        try:
            async with tx.savepoint():
                await cart.hold(tx, cart_id, owner, shop.reserved_until())
        except inventory.OutOfStock:
            if strict:
                raise
            await cart.let_go(tx, cart_id, owner)
    return await cart.view(tx, cart_id, owner)


async def changed(
    request: AnyRequest, cart_id: UUID, owner: cart.Owner, change: Callable[[Tx], Awaitable[None]]
) -> cart.Cart:
    """The cart after a change."""

    async def work(tx: Tx) -> cart.Cart:
        await change(tx)
        return await cart.view(tx, cart_id, owner)

    return await shop_of(request).platform.db.transact(work)


ROUTES = [
    create_cart, my_cart, merge_cart, show_cart, add_line, change_line, remove_line, remove_lines, put_email,
    put_address, put_coupon, drop_coupon, put_shipping, show_why,
]  # fmt: skip
