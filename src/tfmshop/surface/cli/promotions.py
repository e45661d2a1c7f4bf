"""`tfmshop promotions`: coupons and automatic offers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from tfmshop.commerce import promotions
from tfmshop.platform import Platform, ids
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, money, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Coupons and automatic offers.")

When = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")]


@app.command("add")
def add_offer(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="How buyers see it.")],
    percent: Annotated[float | None, typer.Option(min=0.01, max=100, help="Percent off.")] = None,
    fixed: Annotated[int | None, typer.Option(min=1, help="Minor units off, of --currency.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only carts in this currency.")] = None,
    buy: Annotated[int, typer.Option(min=0, help="With --get: of every BUY + GET units the cheapest GET ...")] = 0,
    get: Annotated[int, typer.Option(min=0, help="... are free, or --percent off.")] = 0,
    free_shipping: Annotated[bool, typer.Option("--free-shipping", help="Nothing for shipping.")] = False,
    code: Annotated[str | None, typer.Option(help="The coupon; without one the offer is automatic.")] = None,
    minimum: Annotated[int, typer.Option(min=0, help="Goods in scope must come to so much, minor units.")] = 0,
    product: Annotated[list[UUID] | None, typer.Option(help="Only these products (ids).")] = None,
    category: Annotated[list[UUID] | None, typer.Option(help="Only these categories and below (ids).")] = None,
    starts: When = None,
    ends: When = None,
    max_uses: Annotated[int | None, typer.Option(min=1, help="Orders at most, in all.")] = None,
    max_per_customer: Annotated[int | None, typer.Option(min=1, help="Orders at most, of one customer.")] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Does not combine with other offers.")] = False,
    priority: Annotated[int, typer.Option(help="The lowest is applied first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Add an offer: exactly one of --percent, --fixed, --buy with --get, and --free-shipping.

    Examples: `tfmshop promotions add "Ten off" --percent 10 --code TEN --max-uses 100`,
    `tfmshop promotions add "Three for two" --buy 2 --get 1`
    """
    ways = [fixed is not None, bool(buy or get), free_shipping]
    if sum(ways) > 1 or (percent is None and not any(ways)) or (percent is not None and (ways[0] or ways[2])):
        raise typer.BadParameter("give one of --percent, --fixed, --buy with --get, --free-shipping")
    kinds = (promotions.Kind.FIXED, promotions.Kind.BUY_GET, promotions.Kind.FREE_SHIPPING)
    kind = next((kind for kind, wanted in zip(kinds, ways, strict=True) if wanted), promotions.Kind.PERCENT)
    share = round((100 if percent is None else percent) * 100)
    offer = promotions.Offer(
        id=ids.new(), name=name, kind=kind, currency=currency, buy=buy, get=get, minimum=minimum,
        value=fixed or (0 if free_shipping else share), code=code.strip().upper() if code else None,
        products=product or [], categories=category or [], starts_at=_utc(starts), ends_at=_utc(ends),
        max_uses=max_uses, max_uses_per_customer=max_per_customer, stackable=not alone, priority=priority,
    )  # fmt: skip

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: promotions.add(tx, offer))

    host_of(context).with_platform(work)
    if as_json:
        print_json(offer)
    else:
        typer.echo(f"{name} holds{f' with the coupon {offer.code}' if offer.code else ''}. Its id is {offer.id}.")


@app.command("list")
def list_offers(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the offers that are not over, newest first.

    Example: `tfmshop promotions list`
    """

    async def work(platform: Platform) -> list[promotions.Offer]:
        async with platform.db.read() as tx:
            return await promotions.running(tx, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("name", "coupon", "kind", "value", "used", "id"),
            [(r.name, r.code or "", r.kind, _value(r), f"{r.used} of {r.max_uses}" if r.max_uses else "", r.id)
             for r in rows],
        )  # fmt: skip


@app.command("end")
def end_offer(context: typer.Context, code_or_id: Annotated[str, typer.Argument(help="Its coupon or id.")]) -> None:
    """End an offer now; orders keep what they got.

    Example: `tfmshop promotions end TEN`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: promotions.end(tx, code_or_id))

    host_of(context).with_platform(work)
    typer.echo(f"{code_or_id} is over.")


def _value(offer: promotions.Offer) -> str:
    if offer.kind is promotions.Kind.FIXED:
        return money(offer.value, offer.currency or "")
    return "" if offer.kind is promotions.Kind.FREE_SHIPPING else f"{offer.value / 100:g} %"


def _utc(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when else None
