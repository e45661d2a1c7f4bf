"""`tfmshop db`: backups, made and proven by restoring them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from tfmshop.platform import Config, backup
from tfmshop.platform.backup import Backup, Comparison
from tfmshop.platform.backup.encryption import new
from tfmshop.platform.db import check_server
from tfmshop.surface import backups
from tfmshop.surface.cli.db import app as db
from tfmshop.surface.cli.host import Failure, host_of
from tfmshop.surface.cli.output import AsJson, err, print_json, print_table, sized

T = TypeVar("T")
Name = Annotated[str, typer.Argument(help="The backup, such as dump-20260101T030000; default: the newest.")]
At = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"],
                 help="The moment, in UTC, that a base backup is brought to; default: the end of what was received."),
]  # fmt: skip


@db.command("backup")
def make(
    context: typer.Context,
    kind: Annotated[
        Literal["dump", "base"] | None,
        typer.Option(help="dump: this database; base: the server's files, for any moment since; default: BACKUP_KIND."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the database into BACKUP_FOLDER while it is used, and throw away backups older than BACKUP_DAYS.

    Encrypted where BACKUP_KEY is set. Examples: `tfmshop db backup`, `tfmshop db backup --kind base`
    """

    def work(config: Config) -> Awaitable[tuple[Backup, list[str]]]:
        return backups.make(config, kind or config.text("BACKUP_KIND"))

    with err.status("Copying the database."):
        made, gone = _with_server(context, work)
    if as_json:
        print_json({"backup": made, "thrown_away": gone})
        return
    seconds = (made.ended - made.began).total_seconds()
    rows = f", {sum(made.rows.values()):,} rows of {len(made.rows)} tables" if made.rows else ""
    typer.echo(f"{made.name}: {sized(made.bytes)} in {seconds:.1f} s{rows}.")
    if made.broken:
        typer.echo(f"Copied with {len(made.broken)} things that must never be false: see `tfmshop doctor`.")
    for name in gone:
        typer.echo(f"thrown away: {name}")
    typer.echo(f"`tfmshop db drill {made.name}` proves that it can be restored.")


@db.command("backups")
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """List the backups, the newest first.

    Examples: `tfmshop db backups`, `tfmshop db backups --json`
    """
    vault = backups.vault_of(host_of(context).read_config())
    found = vault.backups()
    if as_json:
        print_json(found)
    elif not found:
        typer.echo(f"There is none in {vault.folder}: `tfmshop db backup` makes one.")
    else:
        print_table(
            ("name", "size", "rows", "schema", "PostgreSQL", "encrypted"),
            [(one.name, sized(one.bytes), f"{sum(one.rows.values()):,}" if one.rows else "-", one.revision, one.server,
              "yes" if one.file.endswith(".age") else "no") for one in found],
        )  # fmt: skip


@db.command("drill")
def drill(context: typer.Context, name: Name = "latest", at: At = None, as_json: AsJson = False) -> None:
    """Restore a backup into a server of its own, compare it with what was copied, and throw that server away.

    Exit code 1 where they differ. Examples: `tfmshop db drill`, `tfmshop db drill base-20260101T030000 --at
    2026-01-01T12:00:00`
    """

    def work(config: Config) -> Awaitable[Comparison]:
        vault = backups.vault_of(config)
        moment = _moment(at)
        made = _before(vault.backups(), moment) if moment and name == "latest" else vault.find(name)
        return backups.drill(config, made) if moment is None else backup.drill(made, vault, moment)

    with err.status("Restoring."):
        found = _with_server(context, work)
    _told(found, as_json=as_json)


@db.command("restore")
def restore(
    context: typer.Context,
    name: Name = "latest",
    at: At = None,
    into: Annotated[Path | None, typer.Option(help="Of a base backup: a new folder, instead of in place.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of the database, which stays beside it under another name; nothing happens where the backup
    is not what was copied.

    Examples: `tfmshop db restore dump-20260101T030000`, `tfmshop db restore --at 2026-01-01T12:00:00 --yes`,
    `tfmshop db restore base-20260101T030000 --into /srv/restored`
    """
    host = host_of(context)
    config = host.read_config()
    vault = backups.vault_of(config)
    found, moment = vault.find(name), _moment(at)
    if at is not None and name == "latest":
        found = _before(vault.backups(), moment)
    if into is None and not yes:
        typer.confirm(f"Put {found.name} in place of the database? What is there now stays beside it.", abort=True)
    with err.status("Restoring."):
        if into is not None:
            compared = asyncio.run(backup.restore_into(found, vault, into.absolute(), moment))
            now = f"{into} is ready: start PostgreSQL {found.server} on it."
        elif found.kind == "dump":
            if moment is not None:
                raise Failure(f"{found.name} is a dump, of one moment: take a base backup for --at.")
            with host.running(config) as ready:
                compared, before = asyncio.run(backup.replace_database(found, vault, ready.text("DATABASE_URL")))
            now = f"The database is that of {found.name} now; what it was is the database {before}."
        elif config.text("DATABASE_URL"):
            raise Failure("A base backup is of a whole server, and DATABASE_URL names one that is not ours: restore it "
                          "--into a folder, and start a server there.")  # fmt: skip
        else:
            compared, folder = asyncio.run(backup.replace_server(found, vault, config.home, moment))
            now = f"The server's data is that of {found.name} now; what it was is in {folder}."
    _told(compared, as_json=as_json)
    if not as_json:
        typer.echo(now)
        if compared.revision != compared.expected or compared.revision != found.revision:
            typer.echo("Its schema is another than the backup's.")


@db.command("receive-wal")
def receive_wal(context: typer.Context) -> None:
    """Receive PostgreSQL's log as it is written, until Ctrl-C: a base backup can then be brought to any moment since.

    A replication slot keeps on the server what was not received: drop it (`tfmshop_backup`) when you do without.
    Example: `tfmshop db receive-wal`
    """

    async def work(config: Config) -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        vault = backups.vault_of(config)
        typer.echo(f"Receiving into {vault.log}.")
        await backup.receive(config.text("DATABASE_URL"), vault, stopping, lambda name: typer.echo(f"received {name}"))

    _with_server(context, work)


@db.command("backup-key")
def backup_key() -> None:
    """Make a pair of keys for BACKUP_KEY.

    Who has the secret one can read the backups; the public one only makes them. Keep the secret one elsewhere, too:
    without it, encrypted backups are lost. Example: `tfmshop db backup-key`
    """
    secret, public = new()
    typer.echo(f"secret  {secret}\npublic  {public}")


def _with_server(context: typer.Context, work: Callable[[Config], Awaitable[T]]) -> T:
    """Run `work` on the database as it is, whatever its schema."""
    host = host_of(context)

    async def run(config: Config) -> T:
        await check_server(config.text("DATABASE_URL"))
        return await work(config)

    with host.running(host.settings()) as ready:
        return asyncio.run(run(ready))


def _moment(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


def _before(found: list[Backup], moment: datetime | None) -> Backup:
    """The newest base backup that can be brought to a moment."""
    for one in found:
        if one.kind == "base" and moment is not None and one.ended <= moment:
            return one
    raise Failure("There is no base backup from before that moment: see `tfmshop db backups`.")


def _told(found: Comparison, *, as_json: bool) -> None:
    if as_json:
        print_json({"good": found.is_good, "comparison": found})
    else:
        to = f" as of {found.to:%Y-%m-%d %H:%M:%S} UTC" if found.to else ""
        typer.echo(f"{found.backup}{to}: restored in {found.seconds:.1f} s, {found.counted:,} rows.")
        for table, (wanted, there) in found.differing.items():
            typer.echo(f"DIFFERS  {table}: {wanted:,} rows were copied, {there:,} are there")
        for sentence, offenders in found.broken.items():
            typer.echo(f"BROKEN   {sentence}: {', '.join(offenders[:5])}")
        if found.revision != found.expected:
            typer.echo(f"DIFFERS  the schema is {found.revision or 'missing'}, and should be {found.expected}")
        typer.echo("It is what was copied, and nothing is false that must never be." if found.is_good else "NOT good.")
    if not found.is_good:
        raise typer.Exit(1)
