"""`tfmshop optimize`: what to change, with the figures that speak for it."""

from __future__ import annotations

import typer

from tfmshop.platform import Platform
from tfmshop.platform.cache import advice, report
from tfmshop.surface.cli.cache import NOBODY
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json

app = typer.Typer(no_args_is_help=True, help="What to change, with the figures that speak for it.")


@app.callback()
def _group() -> None:
    """A group, also while it has one command."""


@app.command("cache")
def cache(context: typer.Context, as_json: AsJson = False) -> None:
    """Recommend settings of the cache, from what the web servers say of it since they started.

    Examples: `tfmshop optimize cache`, `tfmshop optimize cache --json`
    """

    async def look(platform: Platform) -> list[advice.Advice]:
        from tfmshop.surface.http.app import public_routes

        async with platform.db.read() as tx:
            reports = await report.told(tx)
        if not reports:
            raise Failure(NOBODY)
        ages = {route.fresh.name: route.fresh.setting for route in public_routes()}
        return advice.advise(reports, platform.config.number("CACHE_MEMORY"), ages)

    found = host_of(context).with_platform(look)
    if as_json:
        print_json(found)
        return
    for one in found:
        typer.echo(f"{one.name}\n  because  {one.evidence}\n  do       {one.do}\n")
    if not found:
        typer.echo("Nothing to change.")
