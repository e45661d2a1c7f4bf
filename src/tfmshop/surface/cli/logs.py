"""`tfmshop logs`: what the shop wrote down."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

import typer

from tfmshop.platform import clock
from tfmshop.platform.observe import security
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="What the shop wrote down: security events.")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_OWN = ("@timestamp", "message", "address")


@app.callback()
def logs() -> None:
    """What the shop wrote down."""


@app.command("security")
def show_security(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="How far back: 90s, 15m, 24h or 7d.")] = "24h",
    address: Annotated[str | None, typer.Option(help="Only events of this address.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show refused sign-ins, what made addresses suspicious, and blocks, from TFMSHOP_HOME/logs/security-*.log.

    Examples: `tfmshop logs security`, `tfmshop logs security --since 15m --address 192.0.2.1 --json`
    """
    asked = re.fullmatch(r"([0-9]{1,6})([smhd])", since)
    if asked is None:
        raise Failure(f"--since must be such as 90s, 15m, 24h or 7d, not {since!r}.")
    start = clock.now() - timedelta(seconds=int(asked[1]) * _UNITS[asked[2]])
    home = host_of(context).read_config().home
    events = [
        event for event in security.told(home, start) if address in (None, event.get("address"))
    ][-limit:]  # fmt: skip
    if as_json:
        print_json(events)
    elif not events:
        typer.echo(f"No security events since {start:%Y-%m-%d %H:%M} in {home / security.FOLDER}.")
    else:
        print_table(
            ("at", "event", "address", "facts"),
            [(e["@timestamp"][:19], e["message"], e.get("address", ""), _facts(e)) for e in events],
        )


def _facts(event: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in event.items() if name not in _OWN)
