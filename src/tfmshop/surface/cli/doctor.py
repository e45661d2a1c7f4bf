"""`tfmshop doctor`: is everything as it must be?"""

from __future__ import annotations

import typer

from tfmshop.platform import Platform
from tfmshop.platform.db import broken
from tfmshop.platform.db.truth import TRUTHS
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check what must never be false about the data; exit code 1 when something is.

    Examples: `tfmshop doctor`, `tfmshop doctor --json`
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
