"""Dumps: the whole database as of one moment, for any server of the same or a later version."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

import asyncpg

from tfmshop import __version__
from tfmshop.platform import clock
from tfmshop.platform.backup.compare import counted, false, revision
from tfmshop.platform.backup.files import Backup, BackupFailed, Vault
from tfmshop.platform.backup.programs import connected, input_of, kept, program


async def major_of(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    """The major version of a server."""
    return int(await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000"))


async def dump(url: str, vault: Vault) -> Backup:
    """Copy the database at `url`, which goes on being used. What is in the copy is counted in the same snapshot, so
    that a restored one can be compared. `BackupFailed`, and nothing is left of it.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        major = await major_of(connection)
        pg_dump = program("pg_dump", major)
        began = clock.now()
        name = vault.new_name("dump", began)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            rows, broken, has = await counted(connection), await false(connection), await revision(connection)
            address, environment = connected(url)
            command = [pg_dump, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--dbname={address}"]
            file, size, sha256 = await asyncio.to_thread(kept, vault, f"{name}.dump", command, environment)
    finally:
        await connection.close()
    database, user = names(url)
    backup = Backup(name, "dump", began, clock.now(), file, size, sha256, __version__, has, major, database, user,
                    rows, sorted(broken))  # fmt: skip
    vault.describe(backup)
    return backup


async def restore_dump(backup: Backup, vault: Vault, url: str) -> None:
    """Bring a dump back into the empty database at `url`: all of it, or nothing. `BackupFailed`."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        major = await major_of(connection)
    finally:
        await connection.close()
    if major < backup.server:
        raise BackupFailed(f"{backup.name} is of PostgreSQL {backup.server}, and this server is {major}.")
    address, environment = connected(url)
    command = [program("pg_restore", major), "--no-owner", "--exit-on-error", "--single-transaction",
               f"--dbname={address}"]  # fmt: skip

    def restore() -> None:
        with input_of(command, environment) as stream:
            vault.open(backup, stream)

    await asyncio.to_thread(restore)


def names(url: str) -> tuple[str, str]:
    """The database and the user of an address."""
    parts = urlsplit(url)
    return unquote(parts.path.lstrip("/")), unquote(parts.username or "")
