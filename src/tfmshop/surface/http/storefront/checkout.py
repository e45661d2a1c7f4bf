"""Checkout: a cart becomes an order."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta

from tfmshop.commerce import cart, checkout, orders
from tfmshop.commerce.payments import Challenge, PaymentDeclined
from tfmshop.commerce.vocabulary import Address, Email, Money
from tfmshop.platform import codec
from tfmshop.platform.idempotency import Answer, Key
from tfmshop.surface.http.context import AnyRequest, caller_in, owner_of, shop_of
from tfmshop.surface.http.problems import of_shop
from tfmshop.surface.http.storefront.carts import CartToken
from tfmshop.surface.http.storefront.parameters import IdempotencyKey
from tfmshop.surface.http.tiers import limited


class Payment(msgspec.Struct, forbid_unknown_fields=True):
    """How it is paid: a provider of this shop and a token of that provider."""

    provider: Annotated[str, Meta(min_length=1, max_length=50, examples=["fake"])]
    token: Annotated[str, Meta(min_length=1, max_length=500, examples=["ok"])]


class CheckoutRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a purchase needs; e-mail, address and shipping may be in the cart already."""

    payment: Payment
    expected_total: Money | Annotated[int, Meta(ge=0)] | None = None
    email: Email | None = None
    address: Address | None = None
    shipping_method: Annotated[str, Meta(max_length=30)] | None = None


class ActionRequired(msgspec.Struct, frozen=True):
    """The buyer must go to the payment company's page; then the same request, sent again, gives the order.

    A guest looks at it, or gives it up, with the order's `token`.
    """

    order_id: UUID
    redirect_url: str
    code: str = "payment_action_required"
    token: str | None = None


@post(
    "/carts/{cart_id:uuid}/checkout",
    summary="Order what is in a cart",
    tags=["checkout"],
    opt=limited("checkout"),
    responses={
        201: ResponseSpec(data_container=orders.Order, description="The order.", generate_examples=False),
        202: ResponseSpec(data_container=ActionRequired, description="Go to a page first.", generate_examples=False),
    },
)
async def check_out(
    request: AnyRequest,
    cart_id: UUID,
    data: CheckoutRequest,
    idempotency_key: IdempotencyKey,
    cart_token: CartToken = None,
) -> Response[bytes]:
    """Take the stock, pay, and give the order: once for each `Idempotency-Key`, however often it is sent.

    Sent again, the key gives the same status and body with `Idempotent-Replayed: true`. `expected_total` (money, or
    minor units) guards against a price that changed meanwhile.

    Errors: `idempotency_key_reused`, `request_in_progress`, `cart_not_found`, `cart_ordered`, `cart_empty`,
    `product_unavailable`, `checkout_incomplete`, `price_changed`, `out_of_stock`, `not_deliverable`,
    `shipping_method_not_found`,
    `coupon_invalid`, `coupon_exhausted`, `payment_declined`, `payment_unknown`, `payment_provider_unknown`,
    `payment_token_unknown`, `checkout_expired`, `invalid_request`, `invalid_token`.
    """
    shop = shop_of(request)
    owner = owner_of(request, cart_token)
    provider = shop.providers.named(data.payment.provider)
    purchase = checkout.Purchase(
        cart_id, owner, _key(owner, cart_id, idempotency_key, await request.body()), data.payment.provider,
        data.payment.token, data.email, data.address, data.shipping_method, data.expected_total,
    )  # fmt: skip
    answer = await checkout.complete(
        shop.till, provider, purchase, _presenter(request),
        payment_seconds=shop.platform.config.seconds("PAYMENT_TIMEOUT"),
    )  # fmt: skip
    return Response(
        answer.body,
        status_code=answer.status,
        media_type="application/json" if answer.status < 400 else "application/problem+json",
        headers={"idempotent-replayed": "true"} if answer.replayed else {},
    )


def _key(owner: cart.Owner, cart_id: UUID, value: str, body: bytes) -> Key:
    """The key in the scope of caller, method and route; the fingerprint covers the path too."""
    fingerprint = hashlib.sha256(cart_id.bytes + body).digest()
    return Key(f"POST /carts/{{cart_id}}/checkout {caller_in(owner)}", value, fingerprint)


def _presenter(request: AnyRequest) -> checkout.Presenter:
    def order(placed: orders.Order) -> Answer:
        return Answer(201, codec.encode(placed))

    def declined(error: PaymentDeclined) -> Answer:
        return Answer(402, of_shop(error).encode(request.scope["state"]["request_id"]))

    def challenge(placed: orders.Order, asked: Challenge) -> Answer:
        return Answer(202, codec.encode(ActionRequired(placed.id, asked.redirect_url, token=placed.token)))

    return checkout.Presenter(order, declined, challenge)


ROUTES = [check_out]
