"""`tfmshop doctor`: what is wrong with this installation, and the mend; and what is allowed how often."""

from __future__ import annotations

from typing import Any

import typer

from tfmshop.platform import Config, Platform
from tfmshop.platform.db import broken
from tfmshop.platform.db.truth import TRUTHS
from tfmshop.surface import readiness
from tfmshop.surface.cli.host import host_of
from tfmshop.surface.cli.output import AsJson, print_json, print_table
from tfmshop.surface.cli.production import show, tried, worst

LOOKED_AT = ("migrations", "indexes", "database server", "extensions", "replication and transactions", "replicas",
             "pooler", "cache service", "log folder", "log rotation", "disk and open files", "port", "age of backups",
             )  # fmt: skip
MEND = """
What is broken above came from a bug, or from a change by hand. Nothing mends it by itself: restore the last good backup
beside it (`tfmshop db restore --into`), compare, set right what differs, and look here again."""
SHOWN = 3
"""Routes of a tier that are named in the table."""


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look for what is wrong with this installation, check what must never be false about the data, and list the rate
    limits. Exit code 1 when something fails; what a shop that is open to everybody needs besides is told by `tfmshop
    production checklist`.

    Examples: `tfmshop doctor`, `tfmshop doctor --json`
    """
    boxes = tried(context, [one for one in readiness.BOXES if one.name in LOOKED_AT])

    async def look(platform: Platform) -> tuple[dict[str, list[object]], dict[str, dict[str, Any]]]:
        async with platform.db.read() as tx:
            return await broken(tx), _limits(platform.config)

    found, limits = host_of(context).with_platform(look)
    if as_json:
        print_json(
            {
                "boxes": boxes,
                "truths": {truth.sentence: found.get(truth.sentence, []) for truth in TRUTHS},
                "limits": limits,
            }
        )
    else:
        show(boxes, as_json=False)
        typer.echo("")
        for truth in TRUTHS:
            offenders = found.get(truth.sentence, [])
            typer.echo(f"{'BROKEN' if offenders else 'holds '}  {truth.sentence}")
            for offender in offenders[:10]:
                typer.echo(f"        {offender}")
        if found:
            typer.echo(MEND)
        typer.echo("")
        print_table(
            ["limit", "requests", "setting", "routes"],
            [[name, _allowed(tier), tier["setting"], _named(tier["routes"])] for name, tier in limits.items()],
        )
    if found or worst(boxes):
        raise typer.Exit(1)


def _limits(config: Config) -> dict[str, dict[str, Any]]:
    """Each tier: how many requests in how many seconds (None: any number), the setting, and its routes."""
    from tfmshop.surface.http.app import limits
    from tfmshop.surface.http.tiers import FREE, SETTING

    on, window = config.flag("ENABLE_RATE_LIMIT"), config.number("RATE_LIMIT_WINDOW")
    routes: dict[str, list[str]] = {}
    for (method, path), tier in sorted(limits().declared.items(), key=lambda one: one[0][::-1]):
        routes.setdefault(tier, []).append(f"{method} {path}")
    return {
        tier: {"requests": config.number(setting) if on and setting else None, "seconds": window,
               "setting": setting, "routes": routes.get(tier, [])}
        for tier, setting in {**SETTING, FREE: ""}.items()
    }  # fmt: skip


def _allowed(tier: dict[str, Any]) -> str:
    return "any" if tier["requests"] is None else f"{tier['requests']} in {tier['seconds']} s"


def _named(routes: list[str]) -> str:
    more = f", and {len(routes) - SHOWN} more (--json)" if len(routes) > SHOWN else ""
    return ", ".join(routes[:SHOWN]) + more
