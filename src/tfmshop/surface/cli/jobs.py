"""`tfmshop jobs`: jobs that failed for days, and another chance for them."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.platform import Platform, jobs
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Jobs that failed for days and are tried no more.")


@app.command("held")
def list_held(context: typer.Context, as_json: AsJson = False) -> None:
    """List jobs that failed for days and wait for somebody to look at them.

    Examples: `tfmshop jobs held`, `tfmshop jobs held --json`
    """

    async def work(platform: Platform) -> list[jobs.Held]:
        async with platform.db.read() as tx:
            return await jobs.held(tx)

    found = host_of(context).with_platform(work)
    if as_json:
        print_json(found)
    elif not found:
        typer.echo("No job is held.")
    else:
        print_table(("job", "held", "oldest"), [(one.task, f"{one.jobs:,}", f"{one.oldest:%Y-%m-%d %H:%M}")
                                                for one in found])  # fmt: skip


@app.command("again")
def run_again(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only jobs of this name; default: all that are held.")] = None,
) -> None:
    """Have held jobs tried again, as if they were new.

    Examples: `tfmshop jobs again`, `tfmshop jobs again payments.capture`
    """

    async def work(platform: Platform) -> int:
        return await platform.db.transact(lambda tx: jobs.run_again(tx, name))

    done = host_of(context).with_platform(work)
    if name is not None and not done:
        raise Failure(f"No job named {name} is held.")
    typer.echo(f"{done:,} jobs run again.")
