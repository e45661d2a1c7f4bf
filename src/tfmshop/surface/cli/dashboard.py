"""`tfmshop dashboard`: a running shop in the terminal, alive, here or elsewhere."""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import typer

from tfmshop.platform import codec
from tfmshop.surface.asked import routes
from tfmshop.surface.cli import monitor, page
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.source import Source, Token, Url
from tfmshop.surface.pulse import pulse

app = typer.Typer(invoke_without_command=True, help="A running shop in the terminal, here or elsewhere.")
Output = Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")]


@app.callback()
def dashboard(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Watch traffic, latency, errors, cache, connections, statements, jobs and alerts, each second. Keys: 1 to 5 change
    the view, p pauses, s saves what is shown, q ends.

    Examples: `tfmshop dashboard`, `tfmshop dashboard --url https://shop.example.com --token "$METRICS_TOKEN"`
    """
    if context.invoked_subcommand is None:
        if not all(one is not None and one.isatty() for one in (sys.stdin, sys.stderr)):
            raise Failure("The dashboard needs a terminal: `monitor start` prints lines, `dashboard report` a file.")
        from tfmshop.surface.cli.screen import Screen

        source = Source(host_of(context).read_config(), url, token)
        Screen(source, every).run()


@app.command("export")
def export(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    seconds: monitor.Seconds = 3.0,
    form: Annotated[Literal["json", "csv"], typer.Option("--format", help="json or csv.")] = "json",
    output: Output = None,
) -> None:
    """Write the figures of each of some seconds.

    Examples: `tfmshop dashboard export`, `tfmshop dashboard export --seconds 60 --format csv --output figures.csv`
    """
    found = asyncio.run(monitor.often(context, url, token, seconds))
    pulses = [pulse(one.reading, other.reading) for one, other in pairwise(found)]
    if form == "json":
        page.write(output, codec.encode_text(pulses))
    else:
        text = io.StringIO()
        names = pulses[0].__struct_fields__
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(names)
        rows.writerows([_cell(getattr(one, name)) for name in names] for one in pulses)
        page.write(output, text.getvalue().rstrip("\n"))
    if output is not None:
        typer.echo(f"Wrote {output}.")


@app.command("report")
def report(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    seconds: monitor.Seconds = 10.0,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("dashboard.html"),
) -> None:
    """Write what happens in some seconds as one HTML file with charts, which opens without a network.

    Example: `tfmshop dashboard report --seconds 60 --output report.html`
    """
    found = asyncio.run(monitor.often(context, url, token, seconds))
    pulses = [pulse(one.reading, other.reading) for one, other in pairwise(found)]
    whole, over = monitor.pulse_of(found[0], found[-1], seconds)
    page.write(output, page.watching(found[-1], whole, over, pulses, routes(None, found[-1].reading)))
    typer.echo(f"Wrote {output}.")


def _cell(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value
