"""`tfmshop tax` and `tfmshop shipping`: what is added to the price of goods."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tfmshop.commerce import pricing
from tfmshop.platform import Platform
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

tax = typer.Typer(no_args_is_help=True, help="Tax rates by country, region and class of goods.")
shipping = typer.Typer(no_args_is_help=True, help="Shipping methods and what they cost.")


def _country(text: str) -> str:
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise typer.BadParameter("two letters, such as FR")
    return text.upper()


Country = Annotated[str, typer.Argument(help="ISO 3166-1 alpha-2.", callback=_country)]
Region = Annotated[str, typer.Option(help="A region with a rate of its own, as addresses write it.")]
Class = Annotated[str, typer.Option("--class", help="Class of goods.")]


@tax.command("set")
def set_rate(
    context: typer.Context,
    country: Country,
    percent: Annotated[float, typer.Argument(min=0, max=100, help="Percent.")],
    region: Region = "",
    tax_class: Class = pricing.STANDARD,
    name: Annotated[str, typer.Option(help="How buyers see it.")] = "",
    added: Annotated[bool, typer.Option("--added", help="On top of the prices; without it, they include it.")] = False,
) -> None:
    """Set a tax rate.

    Examples: `tfmshop tax set FR 20 --name TVA`, `tfmshop tax set US 8.875 --region NY --added`
    """
    rate = pricing.TaxRate(country, tax_class, round(percent * 10_000), region, name, not added)

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.set_rate(tx, rate))

    host_of(context).with_platform(work)
    typer.echo(f"{country} asks {percent:g} % {'on top of' if added else 'in'} the prices of {tax_class} goods.")


@tax.command("drop")
def drop_rate(
    context: typer.Context, country: Country, region: Region = "", tax_class: Class = pricing.STANDARD
) -> None:
    """Take a tax rate away.

    Example: `tfmshop tax drop FR`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.drop_rate(tx, country, region, tax_class))

    host_of(context).with_platform(work)
    typer.echo(f"The rate of {country} is gone.")


@tax.command("list")
def list_rates(context: typer.Context, as_json: AsJson = False) -> None:
    """List the tax rates.

    Example: `tfmshop tax list`
    """
    rows = _rules(context).rates
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("country", "region", "class", "percent", "name", "prices"),
            [(r.country, r.region, r.tax_class, f"{r.rate / 10_000:g}", r.name,
              "include it" if r.included else "are without it") for r in rows],
        )  # fmt: skip


@shipping.command("set")
def set_method(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Short name: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Argument(help="How buyers see it.")],
    price: Annotated[list[str], typer.Option(help="AT_LEAST:PRICE, the first with 0: (repeatable); or just PRICE.")],
    currency: Annotated[str, typer.Option(help="Of the price.")],
    by: Annotated[Literal["flat", "weight", "total"], typer.Option(help="What AT_LEAST is: g, minor units.")] = "flat",
    country: Annotated[list[str] | None, typer.Option(help="Only to these countries (repeatable).")] = None,
    free_from: Annotated[int | None, typer.Option(min=0, help="Free from goods of so much, minor units.")] = None,
    heaviest: Annotated[int | None, typer.Option(min=1, help="Grams at most.")] = None,
    tax_class: Class = pricing.STANDARD,
    position: Annotated[int, typer.Option(help="The lowest is offered first.")] = 0,
) -> None:
    """Add a shipping method, or change the one with that code.

    Examples: `tfmshop shipping set post Post --price 490 --currency EUR --free-from 5000`,
    `tfmshop shipping set parcel Parcel --by weight --price 0:500 --price 5000:900 --currency EUR`
    """
    method = pricing.ShippingMethod(
        code=code, name=name, by=by, steps=[_step(one) for one in price], currency=currency.upper(),
        countries=[_country(one) for one in country or []], free_from=free_from, heaviest_g=heaviest,
        tax_class=tax_class,
    )  # fmt: skip

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.set_method(tx, method, position))

    host_of(context).with_platform(work)
    typer.echo(f"{name} is offered.")


@shipping.command("drop")
def drop_method(context: typer.Context, code: Annotated[str, typer.Argument(help="Its code.")]) -> None:
    """Take a shipping method away.

    Example: `tfmshop shipping drop post`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: pricing.drop_method(tx, code))

    host_of(context).with_platform(work)
    typer.echo(f"{code} is gone.")


@shipping.command("list")
def list_methods(context: typer.Context, as_json: AsJson = False) -> None:
    """List the shipping methods.

    Example: `tfmshop shipping list`
    """
    rows = _rules(context).methods
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("code", "name", "by", "price", "currency", "to"),
            [(r.code, r.name, r.by, " ".join(f"{s.at_least}:{s.price}" for s in r.steps), r.currency,
              " ".join(r.countries) or "everywhere") for r in rows],
        )  # fmt: skip


def _rules(context: typer.Context) -> pricing.Rules:
    async def work(platform: Platform) -> pricing.Rules:
        async with platform.db.read() as tx:
            return await pricing.rules(tx)

    return host_of(context).with_platform(work)


def _step(text: str) -> pricing.Step:
    at_least, _, price = text.rpartition(":")
    try:
        return pricing.Step(int(at_least or 0), int(price))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither PRICE nor AT_LEAST:PRICE", param_hint="--price") from None
