"""A PostgreSQL of its own for the time of a block, to restore into: nothing of it stays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import asyncpg

from tfmshop.platform import clock
from tfmshop.platform.backup.files import UNFINISHED, BackupFailed, Vault
from tfmshop.platform.embedded import CannotStart, Postgres

LIGHT: Final = {"shared_buffers": "128MB", "max_connections": "20", "fsync": "off", "full_page_writes": "off"}
DATABASE: Final = "restored"
RECOVERY_SECONDS: Final = 6 * 3600
PREFIX: Final = "scratch-"
LEFT_SECONDS: Final = 24 * 3600


@contextmanager
def folder(vault: Vault) -> Iterator[Path]:
    """A folder beside the backups, where there is room for them."""
    vault.folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=vault.folder))
    home.chmod(0o755)
    try:
        yield home
    finally:
        _remove(home)


def clear(vault: Vault) -> list[str]:
    """Take away what drills and backups that were killed left behind a day ago or longer, servers that still run among
    it: the names of what went.
    """
    past = clock.now().timestamp() - LEFT_SECONDS
    left = [path for path in (*vault.folder.glob(f"{PREFIX}*"), *vault.folder.glob(f"*{UNFINISHED}"))
            if path.lstat().st_mtime < past]  # fmt: skip
    gone = []
    for path in left:
        if path.is_file():
            path.unlink()
        else:
            server = Postgres(path)
            if server.is_running:
                server.start()  # joins it, and ends it where nobody else is there
                server.stop()
            if server.is_running:
                continue
            _remove(path)
        gone.append(path.name)
    return sorted(gone)


def _remove(home: Path) -> None:
    data = home / "postgres"
    if data.is_symlink():
        shutil.rmtree(data.resolve().parent, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def started(server: Postgres) -> Iterator[str]:
    """A server for the time of a block: its URL. `BackupFailed` where it does not start."""
    try:
        url = server.start()
    except CannotStart as error:
        server.stop()
        if "before configured recovery target was reached" in str(error):
            raise BackupFailed("The log that was received ends before that moment, or nothing was written since: leave "
                               "the moment out to have all there is.") from None  # fmt: skip
        raise BackupFailed(str(error)) from None
    try:
        yield url
    finally:
        server.stop()


async def empty_database(url: str) -> str:
    """Make a database on a scratch server: its URL."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
    return named(url, DATABASE)


def named(url: str, database: str, user: str = "") -> str:
    """The same server, another database or user."""
    parts = urlsplit(url)
    if user:
        parts = parts._replace(netloc=f"{quote(user)}@{parts.netloc.rpartition('@')[2]}")
    return parts._replace(path=f"/{quote(database)}").geturl()
