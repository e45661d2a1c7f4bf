"""Webhooks, for staff: who is told, what they were told, and telling it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import Parameter
from msgspec import Meta

from tfmshop.commerce import news
from tfmshop.platform.db import Tx
from tfmshop.platform.errors import ShopError
from tfmshop.platform.outgoing import Outgoing
from tfmshop.surface.http.backoffice.bulk import each
from tfmshop.surface.http.backoffice.guard import needs
from tfmshop.surface.http.backoffice.noting import noted
from tfmshop.surface.http.backoffice.versions import IfSame, expect, marked
from tfmshop.surface.http.context import AnyRequest, shop_of
from tfmshop.surface.http.problems import InvalidField
from tfmshop.surface.http.storefront.parameters import Limit

Before = Annotated[int | None, Parameter(ge=1, le=2**63 - 1, description="Only events with a smaller number.")]
Topic = Annotated[str, Meta(max_length=50, examples=["order.paid"], extra_json_schema={"enum": list(news.TOPICS)})]


class NewEndpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send, and which topics; none means all."""

    url: Annotated[str, Meta(min_length=1, max_length=2000, examples=["https://example.com/hooks"])]
    topics: Annotated[list[Topic], Meta(max_length=50)] = []


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a webhook is told."""

    active: bool


class Switches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether up to 100 webhooks are told."""

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    active: bool


class OneSwitched(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a webhook is told now, or the code of why it stayed as it was, and in words."""

    id: UUID
    active: bool | None = None
    code: str | None = None
    detail: str | None = None


class Switched(msgspec.Struct, frozen=True):
    """What became of each, in the order of the ids."""

    items: list[OneSwitched]


class Again(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event, or everything since a moment."""

    EITHER: ClassVar = ("event", "since")
    event: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None


class Endpoints(msgspec.Struct, frozen=True):
    """Every webhook."""

    items: list[news.Endpoint]


class Deliveries(msgspec.Struct, frozen=True):
    """Messages to a webhook, newest first."""

    items: list[news.Delivery]


class Replayed(msgspec.Struct, frozen=True):
    """How many messages are sent again."""

    messages: int


@get("/webhooks", summary="List webhooks", tags=["admin: webhooks"], opt=needs("webhooks"))
async def list_webhooks(request: AnyRequest) -> Endpoints:
    """Every webhook, oldest first, without its secret.

    Errors: `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Endpoints(await news.endpoints.listed(tx))


@post("/webhooks", summary="Add a webhook", tags=["admin: webhooks"], opt=needs("webhooks"))
async def add_webhook(request: AnyRequest, data: NewEndpoint) -> news.Endpoint:
    """Tell a program what happens, signed as Standard Webhooks has it. The secret is in this answer only.

    Errors: `topic_unknown`, `address_not_allowed`, `too_many_webhooks`, `invalid_request`, `sign_in_required`,
    `invalid_token`, `not_allowed`.
    """
    platform = shop_of(request).platform
    outgoing = Outgoing(private=platform.config.flag("WEBHOOKS_PRIVATE"))
    async with platform.db.tx() as tx:
        made = await news.endpoints.add(tx, outgoing, data.url, data.topics)
        await noted(request, tx, "webhooks.add", made.id, after=data)
    return made


@get("/webhooks/{webhook_id:uuid}", summary="Show a webhook", tags=["admin: webhooks"], opt=needs("webhooks"))
async def show_webhook(request: AnyRequest, webhook_id: UUID) -> Response[news.Endpoint]:
    """One webhook, without its secret.

    Errors: `webhook_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return marked(await news.endpoints.find(tx, webhook_id))


@patch("/webhooks/{webhook_id:uuid}", summary="Switch a webhook", tags=["admin: webhooks"], opt=needs("webhooks"))
async def switch_webhook(
    request: AnyRequest, webhook_id: UUID, data: Switch, if_match: IfSame = None
) -> Response[news.Endpoint]:
    """Tell a program nothing new for a while, or tell it again; what waited is sent then.

    Errors: `webhook_not_found`, `changed_meanwhile`, `invalid_request`, `sign_in_required`, `invalid_token`,
    `not_allowed`.
    """
    return marked(await _switched(request, webhook_id, data.active, if_match))


@post("/webhooks/bulk", summary="Switch many webhooks", tags=["admin: webhooks"], opt=needs("webhooks"),
      status_code=200)  # fmt: skip
async def switch_many(request: AnyRequest, data: Switches) -> Switched:
    """Switch up to 100 webhooks. Each has its own answer and stops no other: whether it is told now, or
    `webhook_not_found`. When the shop fails meanwhile, the rest have the code of that.

    Errors: `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """

    async def change(webhook: UUID) -> OneSwitched:
        return OneSwitched(webhook, (await _switched(request, webhook, data.active, None)).active)

    def refused(webhook: UUID, error: ShopError) -> OneSwitched:
        return OneSwitched(webhook, code=error.code, detail=str(error))

    return Switched(await each(data.ids, change, refused))


async def _switched(request: AnyRequest, id: UUID, active: bool, if_match: str | None) -> news.Endpoint:
    async def work(tx: Tx) -> news.Endpoint:
        before = await news.endpoints.find(tx, id, hold=True)
        expect(if_match, before)
        switched = await news.endpoints.switch(tx, id, active=active)
        await noted(request, tx, "webhooks.switch", id, before=before, after=switched)
        return switched

    return await shop_of(request).platform.db.transact(work)


@delete("/webhooks/{webhook_id:uuid}", summary="Remove a webhook", tags=["admin: webhooks"], opt=needs("webhooks"))
async def remove_webhook(request: AnyRequest, webhook_id: UUID) -> None:
    """Tell a program no more, and forget what it was told.

    Errors: `webhook_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    async with shop_of(request).platform.db.tx() as tx:
        before = await news.endpoints.find(tx, webhook_id)
        await news.endpoints.remove(tx, webhook_id)
        await noted(request, tx, "webhooks.remove", webhook_id, before=before)


@get(
    "/webhooks/{webhook_id:uuid}/deliveries", summary="List what a webhook was sent", tags=["admin: webhooks"],
    opt=needs("webhooks"),
)  # fmt: skip
async def list_deliveries(
    request: AnyRequest, webhook_id: UUID, limit: Limit = 20, before: Before = None,
    status: Literal["waiting", "delivered", "given_up"] | None = None,
) -> Deliveries:  # fmt: skip
    """Messages to a webhook, newest first, and what its receiver said last; more with `before` the last event's number.

    Errors: `webhook_not_found`, `sign_in_required`, `invalid_token`, `not_allowed`, `invalid_request`.
    """
    async with shop_of(request).platform.db.read() as tx:
        return Deliveries(await news.endpoints.deliveries(tx, webhook_id, limit=limit, before=before, status=status))


@post(
    "/webhooks/{webhook_id:uuid}/replay", summary="Send messages again", tags=["admin: webhooks"],
    opt=needs("webhooks"),
)  # fmt: skip
async def replay(request: AnyRequest, webhook_id: UUID, data: Again) -> Replayed:
    """Send one event again, or everything since a moment, in its order.

    Errors: `webhook_not_found`, `invalid_request`, `sign_in_required`, `invalid_token`, `not_allowed`.
    """
    if (data.event is None) == (data.since is None):
        raise InvalidField("event", "Give an event or a moment.")
    async with shop_of(request).platform.db.tx() as tx:
        sent = await news.endpoints.replay(tx, webhook_id, event=data.event, since=data.since)
        await noted(request, tx, "webhooks.replay", webhook_id, after=data)
    return Replayed(sent)


ROUTES = [
    list_webhooks,
    add_webhook,
    show_webhook,
    switch_webhook,
    switch_many,
    remove_webhook,
    list_deliveries,
    replay,
]
