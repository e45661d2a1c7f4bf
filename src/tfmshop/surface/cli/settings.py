"""`tfmshop config`: the settings in force."""

from __future__ import annotations

import typer

from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Print every setting in force; secrets are hidden.

    Examples: `tfmshop config`, `PORT=8001 tfmshop config --json`
    """
    rows = host_of(context).read_config().rows()
    if as_json:
        print_json([{"name": r.name, "value": r.value, "given": r.given, "meaning": r.meaning} for r in rows])
        return
    print_table(
        ("setting", "value", "meaning"),
        [(row.name, f"{row.value}{' *' if row.given else ''}", row.meaning) for row in rows],
    )
    typer.echo("* set in the environment or in .env")
