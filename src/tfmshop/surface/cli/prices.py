"""`tfmshop prices` and `tfmshop sales`: what goods cost for whom, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from tfmshop.commerce import pricing
from tfmshop.commerce.vocabulary import LARGEST_AMOUNT
from tfmshop.platform import Platform
from tfmshop.platform.db import Tx
from tfmshop.platform.files.rows import RowFile, UnknownFormat
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

prices = typer.Typer(no_args_is_help=True, help="Price lists: for a group of customers, a currency, or a time.")
sales = typer.Typer(no_args_is_help=True, help="Sales by the clock: a lower price for a time, shown everywhere.")

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
MOST = 10_000
"""Prices that are set at once: a longer file is set in parts, all in one transaction."""
When = Annotated[datetime | None, typer.Option(formats=FORMATS, help="UTC.")]
Code = Annotated[str, typer.Argument(help="The list's code.")]


@prices.command("list")
def list_lists(context: typer.Context, as_json: AsJson = False) -> None:
    """List the price lists.

    Example: `tfmshop prices list`
    """

    async def work(platform: Platform) -> list[pricing.lists.PriceList]:
        async with platform.db.read() as tx:
            return await pricing.lists.every(tx)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("code", "name", "currency", "for", "from", "until", "prices"),
            [(r.code, r.name, r.currency, r.customer_group or "everybody", _shown(r.starts_at), _shown(r.ends_at),
              f"{r.prices:,}") for r in rows],
        )  # fmt: skip


@prices.command("add")
def add_list(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="1 to 30 small letters, digits or hyphens.")],
    name: Annotated[str, typer.Argument(help="How `GET /carts/{id}/why` calls it.")],
    currency: Annotated[str | None, typer.Option(help="Of its prices; default: the shop's.")] = None,
    group: Annotated[str | None, typer.Option(help="Only for customers of this group.")] = None,
    starts: When = None,
    ends: When = None,
) -> None:
    """Add a price list. In a cart the lowest price that holds counts.

    Examples: `tfmshop prices add wholesale Wholesale --group wholesale`, `tfmshop prices add eur Euro --currency EUR`
    """

    async def work(platform: Platform) -> pricing.lists.PriceList:
        one = pricing.lists.PriceList(
            code, name, (currency or platform.config.text("SHOP_CURRENCY")).upper(), group, _utc(starts), _utc(ends)
        )

        async def add(tx: Tx) -> None:
            if code in {known.code for known in await pricing.lists.every(tx)}:
                raise Failure(f"There is a list {code}: change it with `tfmshop prices change {code}`.")
            await pricing.lists.put(tx, one)

        await platform.db.transact(add)
        return one

    _tell(host_of(context).with_platform(work))


@prices.command("change")
def change_list(
    context: typer.Context,
    code: Code,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    group: Annotated[str | None, typer.Option(help="Only for customers of this group from now on.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="For everybody from now on.")] = False,
    starts: When = None,
    ends: When = None,
) -> None:
    """Change a price list; what is not named stays as it is.

    Examples: `tfmshop prices change wholesale --ends 2027-06-30`, `tfmshop prices change wholesale --everybody`
    """

    async def work(platform: Platform) -> pricing.lists.PriceList:
        async def change(tx: Tx) -> pricing.lists.PriceList:
            known = {one.code: one for one in await pricing.lists.every(tx)}
            if code not in known:
                raise Failure(f"There is no price list {code}.")
            old = known[code]
            new = pricing.lists.PriceList(
                code, name or old.name, old.currency, None if everybody else group or old.customer_group,
                _utc(starts) or old.starts_at, _utc(ends) or old.ends_at, old.prices,
            )  # fmt: skip
            await pricing.lists.put(tx, new)
            return new

        return await platform.db.transact(change)

    _tell(host_of(context).with_platform(work))


@prices.command("show")
def show_list(
    context: typer.Context,
    code: Code,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the prices on a list, in minor units.

    Example: `tfmshop prices show wholesale`
    """

    async def work(platform: Platform) -> list[tuple[str, int]]:
        async with platform.db.read() as tx:
            return await pricing.lists.prices(tx, code, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json([{"sku": sku, "amount": amount} for sku, amount in rows])
    else:
        print_table(("sku", "amount"), rows)


@prices.command("set")
def set_prices(
    context: typer.Context,
    code: Code,
    wanted: Annotated[list[str], typer.Argument(help="SKU=AMOUNT in minor units, as often as needed.")],
) -> None:
    """Set prices on a list, all of them or none.

    Example: `tfmshop prices set wholesale LAMP=1500 SHADE=400`
    """
    amounts: dict[str, int] = {}
    for text in wanted:
        sku, _, amount = text.rpartition("=")
        _note(amounts, sku, amount, text)

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.lists.set_prices(tx, code, amounts))

    host_of(context).with_platform(work)
    typer.echo(f"{len(amounts)} price{'' if len(amounts) == 1 else 's'} set on {code}.")


@prices.command("load")
def load_prices(
    context: typer.Context,
    code: Code,
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines with sku and amount.", exists=True, dir_okay=False)],
) -> None:
    """Set the prices of a file on a list, all of them or none; amounts in minor units.

    Example: `tfmshop prices load wholesale wholesale.csv`
    """
    try:
        source = RowFile(file)
        lines = [(line.number, line.row or {}) for line in source.lines()]
    except (UnknownFormat, OSError, EOFError) as error:
        raise Failure(f"The file cannot be read: {error}") from None
    if missing := {"sku", "amount"} - set(source.columns or ("sku", "amount")):
        raise Failure(f"The file has no column {min(missing)}; it has {', '.join(source.columns or [])}.")
    amounts: dict[str, int] = {}
    for number, row in lines:
        _note(amounts, str(row.get("sku") or "").strip(), str(row.get("amount") or "").strip(), f"Line {number}")

    async def work(platform: Platform) -> None:
        async def change(tx: Tx) -> None:
            every = list(amounts.items())
            for start in range(0, len(every), MOST):
                await pricing.lists.set_prices(tx, code, dict(every[start : start + MOST]))

        await platform.db.transact(change)

    if not amounts:
        raise Failure(f"{file} has no prices: each line needs a sku and an amount in minor units.")
    host_of(context).with_platform(work)
    typer.echo(f"{len(amounts):,} price{'' if len(amounts) == 1 else 's'} set on {code}.")


@prices.command("drop")
def drop(
    context: typer.Context,
    code: Code,
    sku: Annotated[str | None, typer.Argument(help="Only the price of this one.")] = None,
) -> None:
    """Take a price off a list, or the whole list away; orders keep what they cost.

    Examples: `tfmshop prices drop wholesale LAMP`, `tfmshop prices drop wholesale`
    """

    async def work(platform: Platform) -> None:
        async def change(tx: Tx) -> None:
            await (pricing.lists.drop_price(tx, code, sku) if sku else pricing.lists.drop(tx, code))

        await platform.db.transact(change)

    host_of(context).with_platform(work)
    typer.echo(f"{sku or 'It'} is off {code}." if sku else f"{code} is gone.")


@sales.command("list")
def list_sales(
    context: typer.Context,
    over: Annotated[bool, typer.Option("--over", help="Also those that ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List sales that are planned or running.

    Example: `tfmshop sales list`
    """

    async def work(platform: Platform) -> list[pricing.sales.Sale]:
        async with platform.db.read() as tx:
            return await pricing.sales.listed(tx, limit, over=over)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("id", "sku", "price", "instead of", "from", "until", "state"),
            [(r.id, r.sku, r.price, r.regular, _shown(r.starts_at), _shown(r.ends_at), r.state) for r in rows],
        )


@sales.command("plan")
def plan_sale(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="Of the variant.")],
    price: Annotated[int, typer.Argument(min=0, help="Minor units.")],
    starts: Annotated[datetime, typer.Option(formats=FORMATS, help="UTC.")],
    ends: Annotated[datetime, typer.Option(formats=FORMATS, help="UTC.")],
) -> None:
    """Plan a sale; the job runner begins and ends it within a minute of its times.

    Example: `tfmshop sales plan LAMP 1499 --starts 2027-01-02 --ends 2027-01-09`
    """

    async def work(platform: Platform) -> UUID:
        return await platform.db.transact(
            lambda tx: pricing.sales.plan(tx, sku, price, starts.replace(tzinfo=UTC), ends.replace(tzinfo=UTC))
        )

    id = host_of(context).with_platform(work)
    typer.echo(f"{sku} will cost {price} from {_shown(starts)} to {_shown(ends)}. The sale's id is {id}.")


@sales.command("end")
def end_sale(context: typer.Context, id: Annotated[UUID, typer.Argument(help="Its id.")]) -> None:
    """Call a sale off, or end it now.

    Example: `tfmshop sales end 0199...`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.sales.end(tx, id))

    host_of(context).with_platform(work)
    typer.echo("It is over.")


def _note(amounts: dict[str, int], sku: str, amount: str, where: str) -> None:
    """Add a price, or say what is wrong with it."""
    if not sku or not amount.isdecimal() or len(amount) > 15 or int(amount) > LARGEST_AMOUNT:
        raise Failure(f"{where}: there must be a SKU, and an amount in whole minor units, {LARGEST_AMOUNT:,} at most.")
    if sku in amounts:
        raise Failure(f"{where}: {sku} has a price already.")
    amounts[sku] = int(amount)


def _tell(one: pricing.lists.PriceList) -> None:
    whom = f"customers of the group {one.customer_group}" if one.customer_group else "everybody"
    when = f" from {_shown(one.starts_at)}" if one.starts_at else ""
    when += f" until {_shown(one.ends_at)}" if one.ends_at else ""
    typer.echo(f"{one.code}: {one.name}, in {one.currency}, for {whom}{when}.")


def _utc(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when else None


def _shown(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else ""
