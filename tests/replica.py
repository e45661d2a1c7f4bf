"""A PostgreSQL of its own and a streaming replica of it, which can be killed and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfmshop.platform.db import migrate
from tfmshop.platform.embedded import Postgres, postgres_programs
from tfmshop.platform.embedded.owner import choose, data_folder

SETTINGS = {"fsync": "off", "shared_buffers": "64MB", "wal_keep_size": "256MB", "max_wal_size": "1GB",
            "wal_retrieve_retry_interval": "100ms"}  # fmt: skip


class Server:
    """One of the two."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.url = ""
        self._settings = SETTINGS | settings
        self._postgres = Postgres(home, self._settings)

    def start(self) -> None:
        """Start it, or start it again."""
        if self.url:
            self._postgres.revive()
        else:
            self.url = self._postgres.start()

    def kill(self) -> None:
        """SIGKILL it and all its children, as a power cut does."""
        self.signal(signal.SIGKILL)
        while self._postgres.is_running:
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        """Signal the server and every process of it."""
        pid = int((self.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            os.kill(one, number)

    def copied(self) -> Path:
        """A copy of its data; it must not run."""
        data = (self.home / "postgres").resolve()
        copy = data.with_name("copied")
        subprocess.run(["cp", "-a", data, copy], check=True)
        return copy

    def put(self, copy: Path) -> None:
        """Give it other data; it must not run."""
        data = (self.home / "postgres").resolve()
        shutil.rmtree(data)
        copy.rename(data)

    def stop(self, *, keep: bool = False) -> None:
        """Stop it and, unless it is kept, remove its data."""
        self._postgres.stop()
        assert not self._postgres.is_running
        if keep:
            self._postgres = Postgres(self.home, self._settings)
            self.url = ""
            return
        shutil.rmtree((self.home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(self.home)


@contextmanager
def primary_and_replica() -> Iterator[tuple[Server, Server]]:
    """Both, migrated."""
    primary, replica = (Server(_home(), hot_standby="on") for _ in range(2))
    primary.start()
    try:
        asyncio.run(migrate.upgrade(primary.url))
        copy(primary, replica)
        replica.start()
        try:
            yield primary, replica
        finally:
            replica.stop()
    finally:
        primary.stop()


@contextmanager
def another_replica(primary: Server) -> Iterator[Server]:
    """One more replica, for the time of a block."""
    replica = Server(_home(), hot_standby="on")
    copy(primary, replica)
    replica.start()
    try:
        yield replica
    finally:
        replica.stop()


def copy(primary: Server, replica: Server) -> None:
    """Make the data of a replica."""
    owner = choose()
    data = data_folder(replica.home, "postgres", owner)
    subprocess.run(
        [postgres_programs(owner) / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "-D", data,
         "-d", primary.url],
        check=True, cwd="/", stderr=subprocess.DEVNULL, **owner.spawn,
    )  # fmt: skip
    (data / ".s.PGSQL.5432.lock").unlink()  # an embedded server has its socket among its data


def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="tfmshop-own-"))
    home.chmod(0o755)
    return home
