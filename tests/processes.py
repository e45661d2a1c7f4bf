"""The shop as real processes, driven over real sockets and killed for real."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.launch import Launcher
from tests.servers import REDIS
from tfmshop.surface.http.tiers import SETTING

BIN = Path(sys.executable).parent / "tfmshop"
LAUNCHER = Launcher()
UNLIMITED = dict.fromkeys(SETTING.values(), "1000000")
"""Rate limits that a test does not reach: all its requests come from one address."""


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to connections: it stays free until used."""
    while True:
        port = random.randint(12_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without any setting of a shop, and then some."""
    plain = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR", "USER"}}
    return plain | changes


def tfmshop(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, in a process of its own."""
    return LAUNCHER.run("tfmshop", *arguments, cwd=cwd, environment=environment(COLUMNS="80", **settings))


def newly_started(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command in a new interpreter, which imports what these settings make it find."""
    return subprocess.run(
        [str(BIN), *arguments], cwd=cwd, env=environment(COLUMNS="80", **settings), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def call(url: str, body: object = None, headers: dict[str, str] | None = None, method: str = "") -> tuple[int, Any]:
    """One request; its status and decoded body. OSError when the server is not there."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **(headers or {})}, method=method or ("POST" if data else "GET")
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextmanager
def serving(url: str, home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`tfmshop serve` in a process group of its own, ready to answer."""
    process = subprocess.Popen(
        [str(BIN), "serve"], cwd=home, start_new_session=True,
        env=environment(DATABASE_URL=url, REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(home), PORT=str(port),
                        **UNLIMITED),
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/health/ready", process)
        yield process
    finally:
        kill_group(process)


def wait_for(url: str, process: subprocess.Popen[Any], seconds: float = 60) -> None:
    """Wait until `url` answers 200."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if call(url)[0] == 200:
                return
        except OSError:
            pass
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, "did not become ready"
        time.sleep(0.05)


def kill_group(process: subprocess.Popen[Any]) -> None:
    """SIGKILL a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
