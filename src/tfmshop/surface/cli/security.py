"""`tfmshop security`: who is kept out, and letting them in again."""

from __future__ import annotations

from typing import Annotated

import typer

from tfmshop.platform import Platform, limits
from tfmshop.platform.db import Tx
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.noting import in_transaction, noted
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Who is kept out for a while: list them, let them in again.")


@app.command("blocks")
def list_blocks(context: typer.Context, as_json: AsJson = False) -> None:
    """List who is kept out now, until when and why: `all:` from everything, `sign-in:` from signing in.

    Examples: `tfmshop security blocks`, `tfmshop security blocks --json`
    """

    async def work(platform: Platform) -> list[limits.Block]:
        async with platform.db.read() as tx:
            return await limits.blocks(tx)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("Nobody is kept out.")
    else:
        print_table(
            ("key", "until", "times", "why"),
            [(r.key, f"{r.until:%Y-%m-%d %H:%M:%S}", r.strikes, r.why) for r in rows],
        )


@app.command("lift")
def lift(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="As `tfmshop security blocks` shows it, such as sign-in:192.0.2.1.")],
) -> None:
    """Let somebody in again who is kept out. Web servers hear of it within a second.

    Example: `tfmshop security lift sign-in:192.0.2.1`
    """

    async def work(platform: Platform, tx: Tx) -> bool:
        lifted = await limits.lift(tx, key)
        if lifted:
            await noted(platform, tx, "security.lift", key)
        return lifted

    if not in_transaction(host_of(context), work):
        raise Failure(f"{key} is not kept out: see `tfmshop security blocks`.")
    typer.echo(f"{key} is let in again.")
