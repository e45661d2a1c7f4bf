"""`tfmshop monitor`: how a running shop does, for people and for schedulers."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from tfmshop.platform import clock, codec
from tfmshop.surface.asked import routes
from tfmshop.surface.cli import page
from tfmshop.surface.cli.figures import figures, line
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, err, out, print_json, print_table
from tfmshop.surface.cli.source import Seen, Source, Token, Url
from tfmshop.surface.kpis import FEW, Kpi, kpis
from tfmshop.surface.pulse import Pulse, pulse

app = typer.Typer(no_args_is_help=True, help="How a running shop does; exit codes: 0 well, 1 not, 2 badly, 3 unknown.")
Seconds = Annotated[float, typer.Option("--seconds", min=0.2, max=3600, help="How long to look, in seconds.")]
SINCE_START = "since it started"
VERDICTS: Final = ("All is well", "Not as it should be", "Critical")
"""What each exit code says."""


@app.command("check")
def check(
    context: typer.Context, url: Url = None, token: Token = None, seconds: Seconds = 3.0, as_json: AsJson = False
) -> None:
    """Compare the key figures with what they should be, over some seconds, or since the start where little happens.

    Exit code 0: all well; 1: a figure is bad or something warns; 2: critical, or PostgreSQL is away; 3: nobody answers.
    Examples: `tfmshop monitor check`, `tfmshop monitor check --url https://shop.example.com --json`
    """
    try:
        before, after = asyncio.run(_twice(context, url, token, seconds))
    except Failure as failure:
        err.print(str(failure), markup=False)
        raise typer.Exit(3) from None
    found, over = pulse_of(before, after, seconds)
    figures, alerts = kpis(found), _alerts(after)
    code = _code(after, figures, alerts)
    if as_json:
        print_json({"status": after.health["status"], "over": over, "kpis": figures, "alerts": alerts, "code": code})
    else:
        out.print(f"{VERDICTS[code]}; health {after.health['status']}, {over}", markup=False)
        print_table(("figure", "value", "should be", "state"), [(k.name, k.shown, k.goal, k.state) for k in figures])
        for one in alerts:
            severity = f"silenced {one['severity']}" if one["silenced"] else one["severity"]
            out.print(f"{severity}: {one['alert']}: {one['says']} {one['mend']}", markup=False)
    raise typer.Exit(code)


@app.command("metrics")
def metrics(
    context: typer.Context, url: Url = None, token: Token = None, seconds: Seconds = 3.0, as_json: AsJson = False
) -> None:
    """Show the figures behind the indicators, and the routes that are asked for most; --json has every metric.

    Examples: `tfmshop monitor metrics`, `tfmshop monitor metrics --json`
    """
    before, after = asyncio.run(_twice(context, url, token, seconds))
    if as_json:
        print_json(after.reading)
        return
    found, over = pulse_of(before, after, seconds)
    out.print(f"{after.health['status']}, {over}\n", markup=False)
    print_table(("figure", "value"), figures(found))
    asked = routes(before.reading if over != SINCE_START else None, after.reading)[:15]
    out.print("")
    print_table(("route", "method", "a second", "failed", "p50 ms", "p95 ms"),
                [(r.route, r.method, f"{r.requests:,.1f}", f"{r.error_rate:.1%}", f"{r.p50_ms:.1f}", f"{r.p95_ms:.1f}")
                 for r in asked])  # fmt: skip


@app.command("report")
def report(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    seconds: Seconds = 10.0,
    form: Annotated[Literal["text", "json", "html"], typer.Option("--format", help="text, json or html.")] = "text",
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
) -> None:
    """Write a report of some seconds; html has charts and opens without a network.

    Examples: `tfmshop monitor report`, `tfmshop monitor report --seconds 60 --format html --output report.html`
    """
    found = asyncio.run(often(context, url, token, seconds))
    pulses = [pulse(one.reading, other.reading) for one, other in pairwise(found)]
    whole, over = pulse_of(found[0], found[-1], seconds)
    if form == "html":
        page.write(output, page.watching(found[-1], whole, over, pulses, routes(None, found[-1].reading)))
    elif form == "json":
        told = {"over": over, "pulse": whole, "kpis": kpis(whole), "seconds": pulses, "alerts": _alerts(found[-1])}
        page.write(output, codec.encode_text(told))
    else:
        rows = [*figures(whole), *((k.name, f"{k.shown} (should be {k.goal}): {k.state}") for k in kpis(whole))]
        page.write(output, "\n".join([f"{found[-1].health['status']}, {over}", *(f"{n:24} {v}" for n, v in rows)]))
    if output is not None:
        typer.echo(f"Wrote {output}.")


@app.command("start")
def start(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between two lines.")] = 5.0,
    count: Annotated[int | None, typer.Option(min=1, help="Lines to print; default: until Ctrl-C.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a line every few seconds until Ctrl-C; goes on when the shop is away for a while.

    Exit code 3, with --count: not one line could be printed.

    Examples: `tfmshop monitor start`, `tfmshop monitor start --every 60 --json`
    """

    async def work() -> None:
        source, before, left, printed = _source(context, url, token), None, count, False
        while left is None or left > 0:
            try:
                seen = await source.look()
                if before is not None:
                    line(seen, pulse(before.reading, seen.reading), as_json=as_json)
                    printed = True
                    left = None if left is None else left - 1
                before = seen
            except Failure as failure:
                before = None
                err.print(f"{clock.now():%H:%M:%S} {failure}", markup=False)
                left = None if left is None else left - 1
            if left != 0:
                await asyncio.sleep(every)
        await source.close()
        if not printed:
            raise typer.Exit(3)

    asyncio.run(work())


@app.command("grafana")
def grafana(
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
) -> None:
    """Write a dashboard for Grafana with a panel for each metric.

    Example: `tfmshop monitor grafana --output deploy/grafana/tfmshop.json`
    """
    from tfmshop.surface.grafana import dashboard

    page.write(output, dashboard())
    if output is not None:
        typer.echo(f"Wrote {output}.")


def _source(context: typer.Context, url: str | None, token: str | None) -> Source:
    return Source(host_of(context).read_config(), url, token)


async def _twice(context: typer.Context, url: str | None, token: str | None, seconds: float) -> tuple[Seen, Seen]:
    source = _source(context, url, token)
    try:
        before = await source.look()
        await asyncio.sleep(seconds)
        return before, await source.look()
    finally:
        await source.close()


async def often(context: typer.Context, url: str | None, token: str | None, seconds: float) -> list[Seen]:
    """What a shop says of itself in each of some seconds, and before them. `Failure`."""
    source = _source(context, url, token)
    try:
        found, step = [await source.look()], min(1.0, seconds)
        for _ in range(max(1, round(seconds / step))):
            await asyncio.sleep(step)
            found.append(await source.look())
        return found
    finally:
        await source.close()


def pulse_of(before: Seen, after: Seen, seconds: float) -> tuple[Pulse, str]:
    """The figures of these seconds; since the start where they had too few requests."""
    found = pulse(before.reading, after.reading)
    if found.requests * found.seconds >= FEW:
        return found, f"over {seconds:g} s"
    return pulse(None, after.reading), SINCE_START


def _alerts(seen: Seen) -> list[dict[str, Any]]:
    return [one for one in seen.health.get("alerts") or () if one["state"] == "firing"]


def _code(seen: Seen, figures: list[Kpi], alerts: list[dict[str, Any]]) -> int:
    told = [one for one in alerts if not one["silenced"]]
    if seen.health["status"] == "down" or any(one["severity"] == "critical" for one in told):
        return 2
    return int(bool(told) or seen.health["status"] != "ok" or any(one.state == "bad" for one in figures))
