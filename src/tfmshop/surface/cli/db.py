"""`tfmshop db`: the schema, and what the statements cost."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tfmshop.platform import Platform
from tfmshop.platform.db import broken, check_server, migrate
from tfmshop.platform.db.truth import TRUTHS
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json

app = typer.Typer(no_args_is_help=True, help="The database: migrations and truths.")


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


@app.command("truths")
def truths(context: typer.Context, as_json: AsJson = False) -> None:
    """Check what must never be false about the data; exit code 1 when something is.

    Examples: `tfmshop db truths`, `tfmshop db truths --json`
    """

    async def look(platform: Platform) -> dict[str, list[object]]:
        async with platform.db.read() as tx:
            return await broken(tx)

    found = host_of(context).with_platform(look)
    if as_json:
        print_json({truth.sentence: found.get(truth.sentence, []) for truth in TRUTHS})
    else:
        for truth in TRUTHS:
            offenders = found.get(truth.sentence, [])
            typer.echo(f"{'BROKEN' if offenders else 'holds '}  {truth.sentence}")
            for offender in offenders[:10]:
                typer.echo(f"        {offender}")
    if found:
        raise typer.Exit(1)
