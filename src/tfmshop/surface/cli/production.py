"""`tfmshop production`: is this installation fit to be open to everybody?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from tfmshop.platform.db import check_server
from tfmshop.surface import readiness
from tfmshop.surface.cli.host import host_of, visible
from tfmshop.surface.cli.output import AsJson, out, print_json, print_table, progress_bar
from tfmshop.surface.cli.source import Url
from tfmshop.surface.readiness import Box, Checked

app = typer.Typer(no_args_is_help=True, help="Is this installation fit to be open to everybody?")
MARKS = {"pass": "ok", "warn": "WARN", "fail": "FAIL", "skip": "skip"}


@app.command("checklist")
def checklist(
    context: typer.Context,
    url: Url = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this box; may be given again.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning fails, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try every box: settings, schema, indexes, servers, folders, the open shop, alerts, and a backup that is made,
    restored and compared. A test message goes to everybody who is told of alerts.

    Exit code 1 when a box fails. Examples: `tfmshop production checklist`, `tfmshop production checklist --only backup`
    """
    names = {one.name for one in readiness.BOXES}
    if unknown := set(only or ()) - names:
        raise typer.BadParameter(f"there is no box {unknown.pop()!r}; there are: {', '.join(sorted(names))}")
    boxes = [one for one in readiness.BOXES if not only or one.name in only]
    found = tried(context, boxes, url)
    show(found, as_json=as_json)
    raise typer.Exit(worst(found, strict=strict))


def tried(context: typer.Context, boxes: Sequence[Box], url: str | None = None) -> list[Checked]:
    """Try boxes of this installation, whatever its schema is. A server that cannot be reached is told as always."""
    host = host_of(context)
    config = host.settings()
    address = url or f"http://{visible(config.text('HOST'))}:{config.number('PORT')}"

    async def work() -> list[Checked]:
        await check_server(ready.text("DATABASE_URL"))
        async with host.opened(ready) as platform:
            place = readiness.Place(config, platform, host.channels(config), address)
            with progress_bar() as bar:
                return await readiness.tick(boxes, place, bar)

    with host.running(config) as ready:
        return asyncio.run(work())


def show(found: Sequence[Checked], *, as_json: bool) -> None:
    """Print boxes and, of those that are not ticked, the mend."""
    if as_json:
        print_json(found)
        return
    print_table(("", "box", "found"), [(MARKS[one.result.state], one.name, one.result.found) for one in found])
    for one in found:
        if one.result.mend:
            out.print(f"\n{MARKS[one.result.state]} {one.name}: {one.result.mend}", markup=False)


def worst(found: Sequence[Checked], *, strict: bool = False) -> int:
    """The exit code."""
    return int(any(one.result.state == "fail" or (strict and one.result.state != "pass") for one in found))
