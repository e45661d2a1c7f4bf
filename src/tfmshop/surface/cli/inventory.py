"""`tfmshop inventory`: stock levels."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.commerce import inventory
from tfmshop.platform import Platform
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Stock: set and list levels.")


@app.command("set")
def set_level(
    context: typer.Context,
    sku_or_slug: Annotated[str, typer.Argument(help="A SKU, or the slug of a product (then its first variant).")],
    units: Annotated[int, typer.Argument(min=0, max=10**9, help="Units free to sell from now on.")],
    as_json: AsJson = False,
) -> None:
    """Set how many units are free to sell.

    Examples: `tfmshop inventory set DEMO-001 25`, `tfmshop inventory set sand-desk-lamp 0`
    """

    async def work(platform: Platform) -> inventory.Level:
        return await platform.db.transact(lambda tx: inventory.set_level(tx, sku_or_slug, units))

    level = host_of(context).with_platform(work)
    if as_json:
        print_json(level)
    else:
        typer.echo(f"{level.sku} has {level.available} units.")


@app.command("list")
def list_levels(
    context: typer.Context,
    at_most: Annotated[int, typer.Option(min=0, help="Only variants with at most so many units.")] = 10**9,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List levels, fewest first.

    Examples: `tfmshop inventory list --at-most 3`, `tfmshop inventory list --limit 1000 --json`
    """

    async def work(platform: Platform) -> list[inventory.Listed]:
        async with platform.db.read() as tx:
            return await inventory.low(tx, at_most, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(("sku", "units", "changed"), [(r.sku, r.available, f"{r.updated_at:%Y-%m-%d %H:%M}") for r in rows])
