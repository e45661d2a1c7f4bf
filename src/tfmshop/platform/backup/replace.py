"""Putting a restored database in the place of the one that is there, which stays beside it under another name."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg

from tfmshop.platform import clock, codec
from tfmshop.platform.backup import scratch
from tfmshop.platform.backup.compare import Comparison, compare
from tfmshop.platform.backup.dump import names, restore_dump
from tfmshop.platform.backup.files import Backup, BackupFailed, Vault
from tfmshop.platform.backup.physical import TRUSTING, WAL, restore_base
from tfmshop.platform.backup.programs import programs_of
from tfmshop.platform.backup.wal import INCOMING
from tfmshop.platform.embedded import Postgres
from tfmshop.platform.embedded.owner import choose, data_folder

SHAPE = """
SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, datlocprovider::text AS provider,
    to_jsonb(d) AS every FROM pg_database AS d WHERE datname = $1
"""
LONGEST_NAME = 63
"""Of a database, in PostgreSQL."""


async def replace_database(backup: Backup, vault: Vault, url: str) -> tuple[Comparison, str]:
    """Restore a dump beside the database at `url`, compare, and exchange the two; what was found, and the name that the
    old one has now. Where they differ nothing is exchanged: `BackupFailed`.
    """
    began, (name, _) = clock.now(), names(url)
    restored, before = (f"{name[: LONGEST_NAME - 25]}_{what}_{began:%Y%m%dt%H%M%S}" for what in ("restored", "before"))
    server = await _elsewhere(url)
    try:
        await server.execute(await _like(server, name, restored))
        try:
            target = scratch.named(url, restored)
            await restore_dump(backup, vault, target)
            found = await compare(backup, target, began=began)
            _must_be_good(found)
        except BaseException:
            await server.execute(f"DROP DATABASE {_quoted(restored)} WITH (FORCE)")
            raise
        await _exchange(server, name, restored, before)
    except asyncpg.PostgresError as error:
        raise BackupFailed(f"PostgreSQL refuses: {error}. Does `tfmshop` have CREATEDB there?") from error
    finally:
        await server.close()
    return found, before


async def _like(server: asyncpg.Connection[asyncpg.Record], name: str, new: str) -> str:
    """The SQL that makes an empty database with the encoding and locale of another."""
    row = await server.fetchrow(SHAPE, name)
    if row is None:
        raise BackupFailed(f"There is no database {name!r}: create an empty one first.")
    sql = f"CREATE DATABASE {_quoted(new)} TEMPLATE template0 ENCODING '{row['encoding']}'"
    sql += f" LC_COLLATE '{row['datcollate']}' LC_CTYPE '{row['datctype']}'"
    locale = next(
        (one for field in ("datlocale", "daticulocale") if (one := codec.decode(row["every"]).get(field))), ""
    )
    if row["provider"] == "b":
        sql += f" LOCALE_PROVIDER builtin BUILTIN_LOCALE '{locale}'"
    elif row["provider"] == "i":
        sql += f" LOCALE_PROVIDER icu ICU_LOCALE '{locale}'"
    return sql


async def _exchange(
    server: asyncpg.Connection[asyncpg.Record], name: str, restored: str, before: str
) -> None:  # fmt: skip
    await server.execute(f"ALTER DATABASE {_quoted(name)} ALLOW_CONNECTIONS false")
    try:
        await server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name)
        async with server.transaction():
            await server.execute(f"ALTER DATABASE {_quoted(name)} RENAME TO {_quoted(before)}")
            await server.execute(f"ALTER DATABASE {_quoted(restored)} RENAME TO {_quoted(name)}")
    finally:
        there = await server.fetchval("SELECT datname FROM pg_database WHERE datname = ANY($1) AND NOT datallowconn",
                                      [name, before])  # fmt: skip
        if there:
            await server.execute(f"ALTER DATABASE {_quoted(there)} ALLOW_CONNECTIONS true")


async def replace_server(backup: Backup, vault: Vault, home: Path, to: datetime | None) -> tuple[Comparison, Path]:
    """Restore a base backup beside the embedded server's data, bring it to a moment, compare, and exchange the two:
    what was found, and where the old data is now. `BackupFailed` where they differ, or while the shop runs.
    """
    current = Postgres(home)
    if current.is_running:
        raise BackupFailed(f"The server of {home} is running: stop the shop first.")
    began = clock.now()
    with scratch.folder(vault) as aside:
        found, data = await _brought(backup, vault, aside, to, began)
        _must_be_good(found)
        incoming = vault.log / INCOMING  # it is ahead of the restored server, and of another timeline
        if incoming.exists():
            incoming.rename(vault.log / f"{INCOMING}.before-{began:%Y%m%dT%H%M%S}")
        try:
            return found, current.exchange(data, f"{began:%Y%m%dT%H%M%S}")
        except OSError as error:
            raise BackupFailed(f"Cannot put {data} in place: {error.strerror}.") from error


async def restore_into(backup: Backup, vault: Vault, target: Path, to: datetime | None) -> Comparison:
    """Restore a base backup into a new folder that a PostgreSQL of its version can be started on. `BackupFailed`."""
    if await asyncio.to_thread(target.exists):
        raise BackupFailed(f"{target} is there already: name a new folder.")
    if not await asyncio.to_thread(_on_one_disk, target.parent, vault.folder):
        raise BackupFailed(f"{target} must be on the disk of {vault.folder}: restore there, then move it.")
    began = clock.now()
    with scratch.folder(vault) as aside:
        found, data = await _brought(backup, vault, aside, to, began)
        _must_be_good(found)
        await asyncio.to_thread(data.rename, target)
    return found


async def _brought(
    backup: Backup, vault: Vault, home: Path, to: datetime | None, began: datetime
) -> tuple[Comparison, Path]:  # fmt: skip
    """Data that was brought to a moment and stopped in order."""
    if backup.kind != "base":
        raise BackupFailed(f"{backup.name} is a dump: only a base backup can be brought to a moment, or into a folder.")
    owner = choose()
    data = data_folder(home, "postgres", owner)
    settings = await asyncio.to_thread(restore_base, backup, vault, data, to, owner)
    server = Postgres(home, settings, scratch.RECOVERY_SECONDS, programs_of(backup.server))
    with scratch.started(server) as url:
        found = await compare(backup, scratch.named(url, backup.database, backup.user), to=to, began=began)
    for path in (data / WAL).iterdir():
        path.unlink()
    (data / WAL).rmdir()
    (data / TRUSTING).unlink()
    return found, data


def _on_one_disk(one: Path, other: Path) -> bool:
    return one.is_dir() and one.stat().st_dev == other.stat().st_dev


def _must_be_good(found: Comparison) -> None:
    if not found.is_good:
        raise BackupFailed(f"{found.backup} is not what was copied, and nothing was changed: see `tfmshop db drill "
                           f"{found.backup}`.")  # fmt: skip


async def _elsewhere(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection to the server that is not one to the database."""
    for database in ("postgres", "template1"):
        try:
            return await asyncpg.connect(scratch.named(url, database), timeout=10)
        except asyncpg.PostgresError:
            continue
    raise BackupFailed("The server lets us into neither of its databases postgres and template1.")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
