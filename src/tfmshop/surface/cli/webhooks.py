"""`tfmshop webhooks`: programs that are told what happens."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from tfmshop.commerce import news
from tfmshop.platform import Platform
from tfmshop.platform.outgoing import Outgoing
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Programs that are told what happens: add, list, switch, look, replay.")

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class Status(StrEnum):
    """How a message stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


Id = Annotated[UUID, typer.Argument(help="Its id, from `tfmshop webhooks list`.")]


@app.command("list")
def list_webhooks(context: typer.Context, as_json: AsJson = False) -> None:
    """List webhooks, oldest first.

    Example: `tfmshop webhooks list`
    """

    async def work(platform: Platform) -> list[news.Endpoint]:
        async with platform.db.read() as tx:
            return await news.endpoints.listed(tx)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("id", "address", "topics", "on"),
            [(r.id, r.url, ", ".join(r.topics) or "all", "yes" if r.active else "no") for r in rows],
        )


@app.command("add")
def add_webhook(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where messages go.")],
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic, as often as needed; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a program what happens. Its secret is printed now and never again.

    Example: `tfmshop webhooks add https://example.com/hooks --topic order.paid --topic order.cancelled`
    """

    async def work(platform: Platform) -> news.Endpoint:
        outgoing = Outgoing(private=platform.config.flag("WEBHOOKS_PRIVATE"))
        return await platform.db.transact(lambda tx: news.endpoints.add(tx, outgoing, url, topic or []))

    made = host_of(context).with_platform(work)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{url} is told. Its id is {made.id}, its secret {made.secret}")


@app.command("switch")
def switch_webhook(
    context: typer.Context, id: Id, on: Annotated[bool, typer.Option("--on/--off", help="Whether it is told.")]
) -> None:
    """Tell a program nothing new for a while, or tell it again, and send it what waited.

    Examples: `tfmshop webhooks switch 0199... --off`, `tfmshop webhooks switch 0199... --on`
    """

    async def work(platform: Platform) -> news.Endpoint:
        return await platform.db.transact(lambda tx: news.endpoints.switch(tx, id, active=on))

    switched = host_of(context).with_platform(work)
    typer.echo(f"{switched.url} is {'told' if on else 'told nothing new'}.")


@app.command("deliveries")
def list_deliveries(
    context: typer.Context,
    id: Id,
    status: Annotated[Status | None, typer.Option(help="Only messages that stand so.")] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only events with a smaller number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what a program was sent, newest first, and what it said.

    Examples: `tfmshop webhooks deliveries 0199...`, `tfmshop webhooks deliveries 0199... --status waiting`
    """

    async def work(platform: Platform) -> list[news.Delivery]:
        async with platform.db.read() as tx:
            return await news.endpoints.deliveries(
                tx, id, limit=limit, before=before, status=status.value if status else None
            )

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("event", "topic", "happened", "status", "tries", "answer"),
            [(r.event, r.topic, f"{r.happened_at:%Y-%m-%d %H:%M}", r.status, r.attempts, r.answer) for r in rows],
        )


@app.command("replay")
def replay(
    context: typer.Context,
    id: Id,
    event: Annotated[int | None, typer.Argument(help="Its number, from `deliveries`.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=FORMATS, help="All that happened since then, UTC.")] = None,
) -> None:
    """Send an event again, or all since a moment.

    Examples: `tfmshop webhooks replay 0199... 4711`, `tfmshop webhooks replay 0199... --since 2027-01-02`
    """
    if (event is None) == (since is None):
        raise typer.BadParameter("give an event's number, or --since")
    moment = since.replace(tzinfo=UTC) if since else None

    async def work(platform: Platform) -> int:
        return await platform.db.transact(lambda tx: news.endpoints.replay(tx, id, event=event, since=moment))

    sent = host_of(context).with_platform(work)
    typer.echo(f"{sent} message{'' if sent == 1 else 's'} will be sent again.")


@app.command("remove")
def remove_webhook(context: typer.Context, id: Id) -> None:
    """Tell a program no more, and forget what it was told.

    Example: `tfmshop webhooks remove 0199...`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: news.endpoints.remove(tx, id))

    host_of(context).with_platform(work)
    typer.echo("It is told no more.")
