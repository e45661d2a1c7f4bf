"""What comes back, for staff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import Meta

from tfmshop.commerce import checkout, orders
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT
from tfmshop.platform.db import Tx
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.context import AnyRequest, shop_of, signed_in
from tfmshop.surface.http.storefront.orders import Returns
from tfmshop.surface.http.storefront.parameters import Limit


class Received(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a return is received: `restock` puts it on the shelf again; an `amount` other than its worth goes back."""

    restock: bool = True
    amount: Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT)] | None = None
    answer: Annotated[str, Meta(max_length=1000)] = ""


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the buyer is told."""

    answer: Annotated[str, Meta(min_length=1, max_length=1000)]


@get("/returns", summary="List waiting returns", tags=["admin: orders"], opt=needs("orders"))
async def list_asked(request: AnyRequest, limit: Limit = 20) -> Returns:
    """Returns that nobody received or refused yet, oldest first.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Returns(await orders.returns.asked(tx, limit))


@post("/returns/{return_id:uuid}/receive", summary="Receive a return", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def receive(request: AnyRequest, return_id: UUID, data: Received) -> orders.returns.Return:
    """Note that goods came back: their money goes back, by default what was paid for them.

    Errors: `return_not_found`, `return_decided`, `cannot_refund`, `refund_too_large`, `invalid_request`,
    `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    who = str(signed_in(request))

    async def receive(tx: Tx) -> None:
        await checkout.take_back(tx, return_id, restock=data.restock, amount=data.amount, who=who, answer=data.answer)

    return await _decided(request, return_id, "returns.receive", receive, {"restocked": data.restock})


@post("/returns/{return_id:uuid}/refuse", summary="Refuse a return", tags=["admin: orders"], opt=needs("orders"),
      status_code=200)  # fmt: skip
async def refuse(request: AnyRequest, return_id: UUID, data: Refusal) -> orders.returns.Return:
    """Say no, with the reason for the buyer.

    Errors: `return_not_found`, `return_decided`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    who = str(signed_in(request))

    async def refuse(tx: Tx) -> None:
        await orders.returns.refuse(tx, return_id, who=who, answer=data.answer)

    return await _decided(request, return_id, "returns.refuse", refuse, {})


async def _decided(
    request: AnyRequest, return_id: UUID, action: str, decide: Callable[[Tx], Awaitable[None]], more: dict[str, object]
) -> orders.returns.Return:
    """Decide on a return, and note it as something that was done to its order."""

    async def work(tx: Tx) -> orders.returns.Return:
        due = await orders.returns.find(tx, return_id)
        await orders.paying.look(tx, due.order_id, hold=True)
        before = await _seen(tx, return_id)
        await decide(tx)
        after = await _seen(tx, return_id) | {"return_id": return_id} | more
        await noted(request, tx, action, due.number, before=before, after=after)
        return await orders.returns.find(tx, return_id)

    return await shop_of(request).platform.db.transact(work)


async def _seen(tx: Tx, return_id: UUID) -> dict[str, object]:
    back = await orders.returns.find(tx, return_id)
    order, _ = await orders.load(tx, back.order_id)
    return {
        "return": back.status, "answer": back.answer, "status": order.status, "payment_status": order.payment_status,
        "refunds": order.refunds,
    }  # fmt: skip


ROUTES = [list_asked, receive, refuse]
