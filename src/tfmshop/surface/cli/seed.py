"""`tfmshop seed`: sample shops."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.platform import Platform
from tfmshop.platform.clock import monotonic
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, progress_bar
from tfmshop.surface.sample import Filled, Sample, fill, large, performance, small
from tfmshop.surface.sample.performance import ORDERS, PEOPLE, PRODUCTS

app = typer.Typer()

Seed = Annotated[int, typer.Option("--seed", help="The same number gives the same shop.")]
Really = Annotated[bool, typer.Option("--yes-really", help="Allow it where APP_ENV is production.")]


@app.callback(invoke_without_command=True)
def seed_small(context: typer.Context, seed: Seed = 1, yes_really: Really = False, as_json: AsJson = False) -> None:
    """Fill the shop with sample data; without a name, the small shop: 60 products, 4 people, a few orders.

    Examples: `tfmshop seed`, `tfmshop seed performance`, `tfmshop seed --seed 7 --json`
    """
    if context.invoked_subcommand is None:
        _seed(context, small, seed, really=yes_really, as_json=as_json)


@app.command("performance")
def seed_performance(
    context: typer.Context, seed: Seed = 1, yes_really: Really = False, as_json: AsJson = False
) -> None:
    """5,000 products with specifications, 500 people, 1,000 orders with their history.

    Examples: `tfmshop seed performance`, `tfmshop seed performance --seed 7`
    """
    _seed(context, performance, seed, really=yes_really, as_json=as_json)


@app.command("full")
def seed_full(
    context: typer.Context,
    products: Annotated[int, typer.Option(min=1, max=5_000_000, help="How many products.")] = PRODUCTS,
    orders: Annotated[int, typer.Option(min=0, max=10_000_000, help="How many past orders.")] = ORDERS,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before everything is deleted.")] = False,
    seed: Seed = 1,
    yes_really: Really = False,
    as_json: AsJson = False,
) -> None:
    """Empty the shop and fill it: any number of products and orders, in bounded memory.

    Examples: `tfmshop seed full --products 1000000 --orders 1000000`, `tfmshop seed full --products 200000 --yes`
    """
    if not yes:
        typer.confirm("This deletes everything in the shop. Go on?", abort=True)
    people = max(PEOPLE, min(orders // 20, 50_000))
    _seed(context, large("full", products, people, orders), seed, really=yes_really, as_json=as_json, empty=True)


def _seed(
    context: typer.Context, sample: Sample, seed: int, *, really: bool, as_json: bool, empty: bool = False
) -> None:
    host = host_of(context)
    if host.read_config().text("APP_ENV") == "production" and not really:
        raise Failure("This is production: sample data is refused without --yes-really.")

    async def work(platform: Platform) -> tuple[Filled, float]:
        if empty:
            await platform.db.empty()
        started = monotonic()
        with progress_bar() as bar:
            filled = await fill(platform, sample, seed, bar)
        if not filled.already_there:
            await platform.db.vacuum()
        return filled, monotonic() - started

    filled, seconds = host.with_platform(work, makes=True)
    if as_json:
        print_json({"rows": filled.rows, "seconds": round(seconds, 2), "logins": filled.logins,
                    "already_there": filled.already_there})  # fmt: skip
        return
    if filled.already_there:
        typer.echo(f"The {sample.name} shop is there already; nothing was changed.")
        return
    for what, count in filled.rows.items():
        typer.echo(f"{count:>9,}  {what}")
    typer.echo(f"in {seconds:.1f} s. Sign in with:")
    for email, password in filled.logins:
        out.print(f"  {email}  {password}", markup=False)
