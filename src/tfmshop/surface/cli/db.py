"""`tfmshop db`: the schema, and what the statements cost."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tfmshop.platform.db import check_server, migrate
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json

app = typer.Typer(no_args_is_help=True, help="The database: migrations.")


@app.command("migrate")
def migrate_command(
    context: typer.Context,
    lock_timeout: Annotated[
        float, typer.Option(min=0.001, max=3600, help="Longest wait for a lock on a table, in seconds.")
    ] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Bring the schema to this release; a second process waits for the first.

    Examples: `tfmshop db migrate`, `tfmshop db migrate --lock-timeout 1`
    """
    host = host_of(context)
    with host.running(host.read_config()) as config:
        url = config.text("DATABASE_URL")
        asyncio.run(check_server(url))
        done = asyncio.run(migrate.upgrade(url, lock_timeout_seconds=lock_timeout))
    if as_json:
        print_json({"applied": done, "revision": migrate.newest()})
        return
    for name in done:
        typer.echo(f"applied {name}")
    typer.echo(f"The schema is at {migrate.newest()}.")
