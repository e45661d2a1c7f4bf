"""Base backups: the files of the whole server, to which the received log adds every moment since.

They need a server that lets us replicate, and PostgreSQL's own programs of exactly its version to be restored.
"""

from __future__ import annotations

import asyncio
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import asyncpg

from tfmshop import __version__
from tfmshop.platform import clock
from tfmshop.platform.backup.compare import false, revision
from tfmshop.platform.backup.dump import major_of, names
from tfmshop.platform.backup.files import Backup, BackupFailed, Vault, is_history
from tfmshop.platform.backup.programs import ALONE, connected, kept, program, run
from tfmshop.platform.backup.wal import INCOMING, PARTIAL
from tfmshop.platform.embedded.owner import Owner

WAL: Final = "restored_wal"
"""The folder in a server's data where it finds the log while it is brought to a moment."""
SAFELY: Final[Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python has it from 3.11.4 on; what is unpacked is what was kept, by its SHA-256."""
TRUSTING: Final = "restored_hba.conf"
QUIET: Final = {"archive_mode": "off", "ssl": "off", "primary_conninfo": "", "ident_file": "/dev/null"}
"""What a restored server must not do as its origin did, while it is looked at."""


async def base(url: str, vault: Vault) -> Backup:
    """Copy the server's files, with the log that makes them consistent. `BackupFailed`, and nothing is left of it."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        major = await major_of(connection)
        began, address = clock.now(), connected(url)
        name = vault.new_name("base", began)
        wal = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn())")
        command = [program("pg_basebackup", major), "--pgdata=-", "--format=tar", "--wal-method=fetch",
                   "--checkpoint=fast", "--gzip", f"--dbname={address[0]}"]  # fmt: skip
        file, size, sha256 = await asyncio.to_thread(kept, vault, f"{name}.tar.gz", command, address[1])
        ended = await connection.fetchval("SELECT clock_timestamp()")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            broken, has = await false(connection), await revision(connection)
    finally:
        await connection.close()
    backup = Backup(name, "base", began, ended, file, size, sha256, __version__, has, major, *names(url),
                    broken=sorted(broken), wal=wal)  # fmt: skip
    vault.describe(backup)
    return backup


def restore_base(backup: Backup, vault: Vault, data: Path, to: datetime | None, owner: Owner) -> dict[str, str]:
    """Unpack a base backup into the empty folder `data`, check every file of it against its own list, and have the
    server that is started there bring itself to a moment; None is the end of what was received. Gives the settings to
    start it with, that first time. `BackupFailed`.
    """
    if to is not None and to < backup.ended:
        raise BackupFailed(
            f"{backup.name} is of {backup.ended:%Y-%m-%d %H:%M:%S} UTC: take an older one for {to:%H:%M:%S}."
        )
    with _unpacked(vault, backup) as archive, tarfile.open(fileobj=archive, mode="r|gz") as tar:
        tar.extractall(data, **SAFELY)  # noqa: S202 - our own, by its SHA-256
    run([program("pg_verifybackup", backup.server), "--exit-on-error", "--no-parse-wal", str(data)], ALONE)
    for socket in data.glob(".s.PGSQL.*"):
        socket.unlink()  # an embedded server has it among its data
    _lay_out_log(vault, backup, data / WAL)
    (data / "recovery.signal").touch()
    (data / "postgresql.conf").touch()  # Debian has it elsewhere
    (data / TRUSTING).write_text("local all all trust\n")
    _give(data, owner)
    moment = {"recovery_target_time": to.isoformat(), "recovery_target_action": "promote"} if to else {}
    return {
        "restore_command": f"cp {WAL}/%f %p",
        "hot_standby": "off",
        "hba_file": str(data / TRUSTING),
        **QUIET,
        **moment,
    }


def _lay_out_log(vault: Vault, backup: Backup, folder: Path) -> None:
    """Copy the received log to where the server will look. What was not moved to its place yet comes first: meanwhile
    it may be moved, and is then found there.
    """
    folder.mkdir()
    for path in (vault.log / INCOMING).glob("*"):
        with suppress(FileNotFoundError):
            (folder / path.name.removesuffix(PARTIAL)).write_bytes(path.read_bytes())
    for segment, path in vault.segments().items():
        if is_history(segment) or segment[8:] >= backup.wal[8:]:
            with (folder / segment).open("wb") as target:
                vault.unlock(path, target)


def _give(data: Path, owner: Owner) -> None:
    """Make everything in a folder that of the server's user, who alone may see it."""
    for folder, _, files in os.walk(data):
        for path in (folder, *(f"{folder}/{file}" for file in files)):
            if owner.account is not None:
                os.chown(path, owner.account.pw_uid, owner.account.pw_gid)
    data.chmod(0o700)


@contextmanager
def _unpacked(vault: Vault, backup: Backup) -> Iterator[IO[bytes]]:
    """What is in a backup as a stream to read, opened by a thread of its own."""
    reading, writing = os.pipe()
    failed: list[Exception] = []

    def write() -> None:
        try:
            with os.fdopen(writing, "wb") as target:
                vault.open(backup, target)
        except (BackupFailed, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with os.fdopen(reading, "rb") as source:
            try:
                yield source
                while source.read(1 << 16):
                    pass  # archives are padded at their end
            except tarfile.TarError as error:
                failed.append(BackupFailed(f"{backup.file} is no whole archive: {error}."))
    finally:
        thread.join()
    if failed:
        raise failed[-1 if isinstance(failed[0], BrokenPipeError) else 0]
