"""`tfmshop db plan`: what the next migrations would hold up, tried on a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from tfmshop.platform import Config, backup
from tfmshop.platform.backup import Vault, scratch
from tfmshop.platform.db import check_server, migrate
from tfmshop.platform.db.rehearsal import Lock, Step, rehearse
from tfmshop.surface import backups
from tfmshop.surface.cli.db import app as db
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, err, print_json, print_table


@db.command("plan")
def plan(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--backup", help="A backup to try them on, or latest; default: one that is made now.")
    ] = "",
    most: Annotated[
        int,
        typer.Option(min=0, max=3_600_000, help="Longest that a table may be closed, ms; 0: DB_LOCK_TIMEOUT."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the migrations of this release on a copy of the database, and tell which tables each would close, to whom
    and for how long. The database itself is only copied.

    Exit code 1 where a table would be closed longer than requests wait. Examples: `tfmshop db plan`,
    `tfmshop db plan --backup latest --json`
    """
    host = host_of(context)
    with host.running(host.settings()) as config:
        has = schema_of(config)
        steps = asyncio.run(rehearsed(config, name)) if has != migrate.newest() else []
    bound = most or config.number("DB_LOCK_TIMEOUT")
    if as_json:
        print_json({"revision": has, "steps": steps, "too_long": too_long(steps, bound)})
    elif has == migrate.newest():
        typer.echo(f"The schema is at {has}, as this release wants it: there is nothing to plan.")
    else:
        _show(steps)
    refuse_long(steps, bound)


def schema_of(config: Config) -> str | None:
    """Where the schema is; `Failure` where that is newer than this release."""
    asyncio.run(check_server(config.text("DATABASE_URL")))
    has = asyncio.run(migrate.applied(config.text("DATABASE_URL")))
    if has is not None and has > migrate.newest():
        raise Failure(f"The schema is at {has}, newer than this release's {migrate.newest()}: update TFMShop.")
    return has


def too_long(steps: Sequence[Step], bound: float) -> list[Lock]:
    """The locks that are held longer than a bound in milliseconds."""
    return [lock for step in steps for lock in step.locks if lock.seconds * 1000 > bound]


def refuse_long(steps: Sequence[Step], bound: float) -> None:
    """`Failure` where a table would be closed longer than a bound in milliseconds."""
    if long := too_long(steps, bound):
        closed = ", ".join(sorted({lock.table for lock in long}))
        raise Failure(f"Longer than {bound:.0f} ms would be closed: {closed}. Requests would fail meanwhile.")


async def rehearsed(config: Config, name: str) -> list[Step]:
    """What each migration of this release takes and closes on a copy: a backup by its name, or one made now."""
    vault = backups.vault_of(config)
    with scratch.folder(vault) as home:
        if name:
            made = vault.find(name)
        else:
            vault = Vault(home / "copy")  # not closed by a key: it goes away with the folder
            with err.status("Copying the database."):
                made = await backup.dump(config.text("DATABASE_URL"), vault)
        with err.status(f"Restoring {made.name}, and running the migrations there."):
            async with backup.restored(made, vault) as url:
                return await rehearse(url)


def _show(steps: list[Step]) -> None:
    rows = []
    for step in steps:
        took = f"{step.seconds:.2f} s"
        closed = [(lock.table, lock.stops, f"{lock.seconds * 1000:.0f} ms") for lock in step.locks]
        rows += [(step.revision, took, *one) for one in closed or [("-", "nothing", "")]]
    print_table(("revision", "takes", "table", "stops", "closed"), rows)
