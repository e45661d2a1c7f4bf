"""Orders, for the person who placed them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from functools import cache
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import MediaType, Response, get, post
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import accounts, cart, checkout, orders
from tfmshop.commerce.vocabulary import Quantity
from tfmshop.platform.db import Tx
from tfmshop.platform.security.access import digest
from tfmshop.surface.http.context import AnyRequest, caller_in, shop_of, signed_in, viewer_of
from tfmshop.surface.http.once import once
from tfmshop.surface.http.storefront.parameters import Cursor, Limit, OnceKey
from tfmshop.surface.seller import seller_of

PRIVATE: Final = {"Cache-Control": "private, no-store"}

OrderToken = Annotated[
    str | None,
    Parameter(header="Order-Token", max_length=100, description="The token that came with a guest's order."),
]


@get("/orders", summary="My orders", tags=["orders"])
async def list_orders(
    request: AnyRequest, status: orders.OrderStatus | None = None, limit: Limit = 20, cursor: Cursor = None
) -> orders.browse.OrderList:
    """The signed-in customer's orders, newest first.

    Errors: `sign_in_required`, `invalid_token`, `bad_cursor`, `invalid_request`.
    """
    customer = signed_in(request)
    return await shop_of(request).platform.db.look_up(
        lambda tx: orders.browse.own(tx, customer, status=status, cursor=cursor, limit=limit)
    )


@get("/orders/{order_id:uuid}", summary="Show an order", tags=["orders"])
async def show_order(request: AnyRequest, order_id: UUID, order_token: OrderToken = None) -> orders.Order:
    """An order of the signed-in customer, or of the guest whose token comes along.

    Errors: `order_not_found`, `invalid_token`.
    """
    customer, token_hash = _whose(request, order_token)
    async with shop_of(request).platform.db.read() as tx:
        return await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)


@get("/orders/number/{number:str}", summary="Show an order by its number", tags=["orders"])
async def show_order_by_number(request: AnyRequest, number: str, order_token: OrderToken = None) -> orders.Order:
    """As by id: the number alone opens nothing.

    Errors: `order_not_found`, `invalid_token`.
    """
    customer, token_hash = _whose(request, order_token)
    async with shop_of(request).platform.db.read() as tx:
        return await orders.browse.find(tx, number, customer_id=customer, token_hash=token_hash)


@post("/orders/{order_id:uuid}/cancel", summary="Cancel an order", tags=["orders"], status_code=200)
async def cancel_order(request: AnyRequest, order_id: UUID, order_token: OrderToken = None) -> orders.Order:
    """Cancel an order that is not packed yet: its money goes back.

    Errors: `order_not_found`, `order_cannot_move`, `invalid_token`.
    """
    customer, token_hash = _whose(request, order_token)

    async def work(tx: Tx) -> orders.Order:
        await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)
        who = str(customer or "guest")
        await checkout.cancel(tx, order_id, who=who, why="cancelled by the buyer", by_buyer=True)
        return await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)

    return await shop_of(request).platform.db.transact(work)


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of an order."""

    sku: Annotated[str, Meta(min_length=1, max_length=100)]
    quantity: Quantity


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall go back, and why."""

    lines: Annotated[list[Units], Meta(min_length=1, max_length=200)]
    why: Annotated[str, Meta(max_length=1000)] = ""


class Returns(msgspec.Struct, frozen=True):
    """Returns, oldest first."""

    items: list[orders.returns.Return]


@post("/orders/{order_id:uuid}/returns", summary="Ask to send goods back", tags=["orders"])
async def ask_return(
    request: AnyRequest, order_id: UUID, data: Wish, order_token: OrderToken = None, idempotency_key: OnceKey = None
) -> Response[orders.returns.Return]:
    """Ask to send back units that were sent. The shop says yes by receiving them; then their money goes back.

    Errors: `idempotency_key_reused`, `request_in_progress`, `order_not_found`, `cannot_return`,
    `invalid_request`, `invalid_token`.
    """
    customer, token_hash = _whose(request, order_token)
    units: dict[str, int] = {}
    for line in data.lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity

    async def work(tx: Tx) -> orders.returns.Return:
        await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)
        return await orders.returns.ask(tx, order_id, units, who=str(customer or "guest"), why=data.why)

    return await once(request, idempotency_key, caller_in(cart.Owner(token_hash, customer)), work)


@get("/orders/{order_id:uuid}/returns", summary="Returns of an order", tags=["orders"])
async def list_returns(request: AnyRequest, order_id: UUID, order_token: OrderToken = None) -> Returns:
    """What the buyer asked to send back, and what became of it.

    Errors: `order_not_found`, `invalid_token`.
    """
    customer, token_hash = _whose(request, order_token)
    async with shop_of(request).platform.db.read() as tx:
        await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)
        return Returns(await orders.returns.of(tx, order_id))


@get(
    "/orders/{order_id:uuid}/invoice.html", summary="An order's invoice", tags=["orders"], media_type=MediaType.HTML,
)  # fmt: skip
async def show_invoice(request: AnyRequest, order_id: UUID, order_token: OrderToken = None) -> Response[str]:
    """The invoice of an order of which something was sent, as a page. Once written, it never changes.

    Errors: `order_not_found`, `no_invoice`, `invalid_token`.
    """
    invoice = await _invoice(request, order_id, order_token)
    return Response(
        orders.invoices.page(invoice), media_type=MediaType.HTML,
        headers=PRIVATE | {"Content-Security-Policy": _policy()},
    )  # fmt: skip


@cache
def _policy() -> str:
    """The page may use its own style, known by its hash, and nothing else."""
    known = base64.b64encode(hashlib.sha256(orders.invoices.style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@get(
    "/orders/{order_id:uuid}/invoice.pdf", summary="An order's invoice as PDF", tags=["orders"],
    media_type="application/pdf",
)  # fmt: skip
async def print_invoice(request: AnyRequest, order_id: UUID, order_token: OrderToken = None) -> Response[bytes]:
    """As the page, to be kept.

    Errors: `order_not_found`, `no_invoice`, `pdf_unavailable`, `invalid_token`.
    """
    return await as_pdf(await _invoice(request, order_id, order_token))


async def as_pdf(invoice: orders.invoices.Invoice) -> Response[bytes]:
    """An answer that is an invoice as PDF."""
    body = await asyncio.to_thread(orders.invoices.printed, invoice)
    name = {"Content-Disposition": f'inline; filename="invoice-{invoice.number}.pdf"'}
    return Response(body, media_type="application/pdf", headers=PRIVATE | name)


async def _invoice(request: AnyRequest, order_id: UUID, order_token: str | None) -> orders.invoices.Invoice:
    viewer, platform = viewer_of(request), shop_of(request).platform
    customer, token_hash = _whose(request, order_token)

    async def work(tx: Tx) -> orders.invoices.Invoice:
        if viewer is not None:
            await accounts.sessions.must_be_current(tx, viewer)
        await orders.browse.find(tx, order_id, customer_id=customer, token_hash=token_hash)
        if viewer is not None and viewer.watched_by is not None:
            return await orders.invoices.find(tx, order_id)
        return await orders.invoices.issue(tx, order_id, seller_of(platform.config), by_staff=False)

    return await platform.db.transact(work)


def _whose(request: AnyRequest, token: str | None) -> tuple[UUID | None, bytes | None]:
    viewer = viewer_of(request)
    return viewer.id if viewer else None, digest(token) if token else None


ROUTES = [
    list_orders, show_order, show_order_by_number, cancel_order, ask_return, list_returns, show_invoice, print_invoice,
]  # fmt: skip
