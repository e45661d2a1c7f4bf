"""`tfmshop audit`: what staff did, and whether the log of it is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tfmshop.commerce import audit
from tfmshop.platform import Platform
from tfmshop.platform.observe import files
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.noting import has_seals
from tfmshop.surface.cli.output import AsJson, print_json, print_table

_MARK = re.compile(r"([0-9]{1,18}):([0-9A-Fa-f]{8,64})")
_LOGGED = re.compile(r'"mark":"([0-9]{1,18}):([0-9A-Fa-f]{8,64})"')
app = typer.Typer(no_args_is_help=True, help="What staff did: list it, and verify that nothing was tampered with.")


@app.command("list")
def list_entries(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this, such as an order's number.")] = None,
    who: Annotated[str | None, typer.Option(help="Only what this person did (id).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what staff did, the newest first.

    Examples: `tfmshop audit list`, `tfmshop audit list --subject 4F7QK-2M9XA --json`
    """

    async def work(platform: Platform) -> list[audit.Entry]:
        async with platform.db.read() as tx:
            return await audit.listed(tx, limit=limit, subject=subject, who=who)

    rows = host_of(context).with_platform(work)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("number", "at", "who", "action", "subject", "after"),
            [(r.number, f"{r.at:%Y-%m-%d %H:%M}", r.who, r.action, r.subject, bytes(r.after).decode()) for r in rows],
        )


@app.command("verify")
def verify(
    context: typer.Context,
    expect: Annotated[str | None, typer.Option(help="NUMBER:SEAL of an earlier verification or of the log.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry: what was changed, taken out or put in does not fit. Exit code 1 when something does not.

    What the log files say of where it ended is compared, too. It prints the last entry's number and seal: kept
    elsewhere, they show later that the end is still there.

    Examples: `tfmshop audit verify`, `tfmshop audit verify --expect 4711:9f86d081`
    """
    mark = _MARK.fullmatch(expect) if expect is not None else None
    if expect is not None and mark is None:
        raise typer.BadParameter("Write NUMBER:SEAL with 8 to 64 letters of the seal.", param_hint="--expect")
    has_seals(host_of(context))
    marks = set(_marks(host_of(context).read_config().home / files.FOLDER)) | (
        {(int(mark[1]), mark[2])} if mark else set()
    )

    async def work(platform: Platform) -> audit.Verified:
        async with platform.db.read() as tx:
            found = await audit.verify(tx, platform.seals)
            found.flaws += await audit.unlike(tx, marks)
            return found

    found = host_of(context).with_platform(work)
    if as_json:
        print_json(found)
    else:
        for flaw in found.flaws[: audit.SHOWN]:
            typer.echo(f"entry {flaw.number}: {flaw.what}")
        last = f"the last is {found.number}:{found.seal}" if found.entries else "nobody did anything yet"
        typer.echo(f"{found.entries:,} entries{'' if found.flaws else ', all as they were written'}; {last}.")
    if found.flaws:
        flaws = "one flaw" if len(found.flaws) == 1 else f"{len(found.flaws)} flaws"
        raise Failure(f"The audit log was tampered with: {flaws}.")


def _marks(logs: Path) -> Iterator[tuple[int, str]]:
    """Where the audit log ended, as the log files say; there may be millions of other lines."""
    for path in (path for path, kind, _ in files.files(logs) if kind == "security"):
        for line in files.lines(path):
            mark = _LOGGED.search(line.decode(errors="replace")) if audit.ENDS_HERE.encode() in line else None
            if mark is not None:
                yield int(mark[1]), mark[2]
