"""`tfmshop alerts`: what fires, who is told, and silence."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tfmshop.platform import clock
from tfmshop.platform.observe.alerts import Firing, Silence, channels, state
from tfmshop.platform.observe.alerts.prometheus import rules as written
from tfmshop.platform.observe.process import METRICS
from tfmshop.surface.alerts import alerts_of
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, out, print_json, print_table
from tfmshop.surface.cli.spans import WrongUsage, span_of

app = typer.Typer(no_args_is_help=True, help="What fires, who is told, and silence.")


@app.command("list")
def list_alerts(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="With those that are not true, and what they look for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what fires and what may soon.

    Exit code 1: something fires that is not silenced; 3: nobody works alerts out.

    Examples: `tfmshop alerts list`, `tfmshop alerts list --all`
    """
    config = host_of(context).read_config()
    home = config.home / METRICS
    at, found = state.shown(home)
    silences = [one for one in state.silences(home) if one.until > clock.now()]
    watched = at is not None and clock.now() - at < state.STALE
    if as_json:
        print_json({"watched": watched, "at": at, "alerts": found, "silences": silences,
                    "all": [{"alert": a.name, "severity": a.severity, "for_seconds": a.seconds, "promql": a.promql()}
                            for a in alerts_of(config)] if every else None})  # fmt: skip
    else:
        _print(found, silences, at if watched else None)
        if every:
            out.print("")
            print_table(("alert", "severity", "for", "where"),
                        [(a.name, a.severity, f"{a.seconds:g} s", a.promql()) for a in alerts_of(config)])  # fmt: skip
    if not watched or any(one.state == "firing" and not one.silenced for one in found):
        raise typer.Exit(1 if watched else 3)


def _print(found: list[Firing], silences: list[Silence], at: datetime | None) -> None:
    if at is None:
        out.print("Nobody works alerts out: no web server or job runner of this installation runs.")
    elif not found:
        out.print(f"Nothing fires, as of {at:%H:%M:%S} UTC.")
    else:
        out.print(f"As of {at:%H:%M:%S} UTC:")
    for one in found if at is not None else ():
        state = "silenced" if one.silenced else one.state
        out.print(f"{state:9} {one.severity:9} {one.alert}: {one.says}", markup=False)
        out.print(f"{'':20}since {one.since:%Y-%m-%d %H:%M:%S} UTC. {one.mend}", markup=False)
    for silence in silences:
        out.print(f"silent    {silence.alert} until {silence.until:%Y-%m-%d %H:%M} UTC: {silence.reason}", markup=False)


@app.command("silence")
def silence(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(help="Its name, or * for all.")],
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 2h or 1d.")] = "1h",
    reason: Annotated[str, typer.Option(help="Why, for whoever looks.")] = "",
) -> None:
    """Tell nobody of an alert for a while; it is still shown.

    Examples: `tfmshop alerts silence RedisDown --for 2h --reason upgrade`, `tfmshop alerts silence '*' --for 15m`
    """
    config = host_of(context).read_config()
    names = [one.name for one in alerts_of(config)]
    if alert not in (*names, "*"):
        raise Failure(f"There is no alert {alert!r}: `tfmshop alerts list --all` has them all.")
    until = clock.now() + span_of(for_, "--for")
    if until <= clock.now():
        raise WrongUsage("--for must be longer than nothing.")
    home = config.home / METRICS
    home.mkdir(parents=True, exist_ok=True, mode=0o750)
    kept = [one for one in state.silences(home) if one.alert != alert and one.until > clock.now()]
    state.keep_silences(home, [*kept, Silence(alert, until, reason or "no reason given")])
    typer.echo(f"{'Everything' if alert == '*' else alert} is silent until {until:%Y-%m-%d %H:%M:%S} UTC.")


@app.command("unsilence")
def unsilence(context: typer.Context, alert: Annotated[str, typer.Argument(help="Its name, or * for all.")]) -> None:
    """End a silence.

    Example: `tfmshop alerts unsilence RedisDown`
    """
    home = host_of(context).read_config().home / METRICS
    before = state.silences(home)
    kept = [one for one in before if one.alert != alert and one.until > clock.now()]
    if len(kept) == len([one for one in before if one.until > clock.now()]):
        raise Failure(f"{alert} is not silent.")
    state.keep_silences(home, kept)
    typer.echo(f"The silence of {'everything' if alert == '*' else alert} is over.")


@app.command("test")
def send_test(context: typer.Context, as_json: AsJson = False) -> None:
    """Send a message to everybody who is told of alerts; exit code 1 when somebody cannot be reached.

    Example: `tfmshop alerts test`
    """
    host = host_of(context)
    config = host.read_config()
    told = host.channels(config)
    one = Firing("Test", {}, "warning", "firing", 1.0, "This is a test: nothing is wrong.", "Nothing needs to be done.",
                 clock.now())  # fmt: skip
    failed = asyncio.run(channels.tell(told, config.text("SHOP_NAME"), [one]))
    if as_json:
        print_json({channel.name: failed.get(channel.name, "sent") for channel in told})
    else:
        for channel in told:
            out.print(f"{channel.name:8} {failed.get(channel.name, 'sent')}", markup=False)
    if failed:
        raise typer.Exit(1)


@app.command("rules")
def rules(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
) -> None:
    """Write the alerts, with the limits of the settings, as rules for Prometheus.

    Examples: `tfmshop alerts rules`, `tfmshop alerts rules --output deploy/prometheus/rules.yaml`
    """
    text = written(alerts_of(host_of(context).read_config()))
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text)
        typer.echo(f"Wrote {output}.")
