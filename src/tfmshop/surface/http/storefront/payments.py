"""What payment companies tell the shop, and the page of the one that ships with it."""

from __future__ import annotations

from html import escape
from uuid import UUID

from litestar import MediaType, Response, get, post

from tfmshop.commerce import checkout
from tfmshop.commerce.payments import FakeProvider
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.tiers import limited

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Fake bank</title>
<body><main><h1>Fake bank</h1><p>{says}</p>{form}</main></body></html>"""
FORM = """<form method="post" action="{key}/approve"><button>Approve</button></form>
<form method="post" action="{key}/decline"><button>Decline</button></form>"""


@post(
    "/payments/{provider:str}/webhook",
    summary="Hear from a payment company",
    tags=["checkout"],
    status_code=204,
    opt=limited("payments"),
)
async def hear(request: AnyRequest, provider: str) -> None:
    """For payment companies: the signature is checked, and hearing the same twice changes nothing.

    Errors: `payment_provider_unknown`, `webhook_signature_invalid`, `invalid_request`.
    """
    shop = shop_of(request)
    notice = shop.providers.named(provider).notice(request.headers, await request.body())
    if notice is not None:
        await checkout.hear(shop.platform.db, shop.providers, provider, notice)


@get(
    "/fake-bank/{order_id:uuid}", summary="The fake bank's page", tags=["checkout"],
    media_type=MediaType.HTML,
)  # fmt: skip
async def show_challenge(request: AnyRequest, order_id: UUID) -> Response[str]:
    """Where the fake provider sends a buyer whose payment token was `challenge`.

    Errors: `payment_provider_unknown`.
    """
    _fake(request)
    says = f"Pay for order {escape(str(order_id))}?"
    return Response(PAGE.format(says=says, form=FORM.format(key=order_id)), media_type=MediaType.HTML)


@post(
    "/fake-bank/{order_id:uuid}/{word:str}", summary="Answer the fake bank", tags=["checkout"],
    media_type=MediaType.HTML, status_code=200,
)  # fmt: skip
async def answer_challenge(request: AnyRequest, order_id: UUID, word: str) -> Response[str]:
    """`approve` or (any other word) decline; then go back to the shop and send the checkout again.

    Errors: `payment_provider_unknown`, `order_not_found`.
    """
    approve = word == "approve"
    heard = await _fake(request).confirm(str(order_id), approve=approve)
    said = ("Approved." if approve else "Declined.") if heard else "Nothing is waiting for an answer."
    return Response(PAGE.format(says=f"{said} Go back to the shop.", form=""), media_type=MediaType.HTML)


def _fake(request: AnyRequest) -> FakeProvider:
    provider = shop_of(request).providers.itself("fake")
    assert isinstance(provider, FakeProvider)  # noqa: S101 - nothing else is called so
    return provider


ROUTES = [hear, show_challenge, answer_challenge]
