"""`tfmshop inventory`: stock levels."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from tfmshop.commerce import inventory
from tfmshop.platform import Platform
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

CODE: Final = re.compile("[a-z0-9][a-z0-9-]{0,29}")
app = typer.Typer(no_args_is_help=True, help="Stock: levels, warehouses, movements.")


SkuOrSlug = Annotated[str, typer.Argument(help="A SKU, or the slug of a product (then its first variant).")]
Where = Annotated[str, typer.Option("--warehouse", help="Code of the warehouse.")]


@app.command("set")
def set_level(
    context: typer.Context,
    sku_or_slug: SkuOrSlug,
    units: Annotated[int, typer.Argument(min=0, max=10**9, help="Units free to sell from now on.")],
    warehouse: Where = "main",
    as_json: AsJson = False,
) -> None:
    """Set how many units are free to sell.

    Examples: `tfmshop inventory set DEMO-001 25`, `tfmshop inventory set sand-desk-lamp 0 --warehouse lyon`
    """

    async def work(platform: Platform) -> inventory.Level:
        return await platform.db.transact(lambda tx: inventory.set_level(tx, sku_or_slug, units, warehouse))

    level = host_of(context).with_platform(work)
    if as_json:
        print_json(level)
    else:
        typer.echo(f"{level.sku} has {level.available} units in {warehouse}.")


@app.command("rules")
def set_rules(
    context: typer.Context,
    sku_or_slug: SkuOrSlug,
    backorder: Annotated[
        int | None, typer.Option(min=0, max=10**9, help="Units that may be sold before they are there.")
    ] = None,
    low_at: Annotated[int | None, typer.Option(min=-1, max=10**9, help="Tell staff when so few are left.")] = None,
    warehouse: Where = "main",
) -> None:
    """Say how many units of a variant may be owed, and when it counts as low.

    Examples: `tfmshop inventory rules DEMO-001 --backorder 20`, `tfmshop inventory rules DEMO-001 --low-at 2`
    """

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: inventory.set_rules(
            tx, sku_or_slug, warehouse, backorder_limit=backorder, low_at=low_at
        ))  # fmt: skip

    host_of(context).with_platform(work)
    typer.echo(f"Rules of {sku_or_slug} in {warehouse} are set.")


@app.command("list")
def list_levels(
    context: typer.Context,
    at_most: Annotated[int, typer.Option(min=0, help="Only variants with at most so many units.")] = 10**9,
    low: Annotated[bool, typer.Option("--low", help="Only variants that count as low.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List levels, fewest first: free and reserved units, and how many may be owed.

    Examples: `tfmshop inventory list --low`, `tfmshop inventory list --at-most 3 --limit 1000 --json`
    """

    async def work(platform: Platform) -> list[inventory.levels.Listed]:
        async with platform.db.read() as tx:
            return await inventory.levels.listed(tx, at_most, limit, low=low)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("sku", "warehouse", "units", "reserved", "may owe", "changed"),
            [(r.sku, r.warehouse, r.available, r.reserved, r.backorder_limit, f"{r.updated_at:%Y-%m-%d %H:%M}")
             for r in rows],
        )  # fmt: skip


@app.command("history")
def show_history(
    context: typer.Context,
    sku_or_slug: SkuOrSlug,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the movements of a variant, newest first.

    Example: `tfmshop inventory history DEMO-001`
    """

    async def work(platform: Platform) -> list[inventory.levels.Movement]:
        async with platform.db.read() as tx:
            return await inventory.levels.history(tx, sku_or_slug, limit)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("when", "warehouse", "units", "reason", "order"),
            [(f"{r.at:%Y-%m-%d %H:%M:%S}", r.warehouse, f"{r.delta:+}", r.reason, r.order_id or "") for r in rows],
        )


@app.command("warehouses")
def list_warehouses(context: typer.Context, as_json: AsJson = False) -> None:
    """List the warehouses in the order in which they give.

    Example: `tfmshop inventory warehouses`
    """

    async def work(platform: Platform) -> list[inventory.Warehouse]:
        async with platform.db.read() as tx:
            return await inventory.warehouses(tx)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(("code", "name", "priority"), [(r.code, r.name, r.priority) for r in rows])


@app.command("warehouse")
def save_warehouse(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Short name: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Argument(help="How people call it.")],
    priority: Annotated[int, typer.Option(help="The lowest gives first.")] = 0,
) -> None:
    """Add a warehouse, or change the one with that code.

    Example: `tfmshop inventory warehouse lyon "Lyon, France" --priority 10`
    """
    if not CODE.fullmatch(code):
        raise typer.BadParameter("1 to 30 small letters, digits or hyphens", param_hint="CODE")

    async def work(platform: Platform) -> None:
        await platform.db.transact(lambda tx: inventory.add_warehouse(tx, inventory.Warehouse(code, name, priority)))

    host_of(context).with_platform(work)
    typer.echo(f"Warehouse {code} is {name}.")
