"""P7: a web process from its start to the first answer, and what it holds after 100,000 requests.

The process that is measured takes the place of one that was killed; the command is measured beside it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench.harness import BIN, UNLIMITED, Figure, free_port, requests_per_second, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

STARTS, REQUESTS, GOAL, MOST_MIB = 5, 100_000, 1.5, 120
CALM = 7
"""Seconds between two kills: the server gives up when processes end faster."""
FLOOR = [sys.executable, "-c", "import litestar, asyncpg, uvicorn, uvloop"]


def run(requests: int = REQUESTS) -> bool:
    """Measure; whether every goal was met."""
    command, ours, floor, memory = [], [], [], []
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        port = free_port()
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "PORT": str(port), "LOG_LEVEL": "warn", "SUSPICION": "off", **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        url = f"http://127.0.0.1:{port}/api/v1/products"
        for _ in range(STARTS):
            command.append(_started(url, environment))
            began = time.perf_counter()
            subprocess.run(FLOOR, check=True)
            floor.append(time.perf_counter() - began)
        with server([str(BIN / "tfmshop"), "serve"], url, environment):
            for _ in range(STARTS):
                time.sleep(CALM)
                ours.append(_replaced(url, port))
            for path in ("", "?sort=price", "?category=laptops"):
                done, least = 0.0, requests / 3
                while done < least:
                    done += 4 * requests_per_second(url + path, seconds=4, connections=16)
                memory.append(_resident(_worker(port)))
    figures = [
        Figure("a worker, start to the first answer, s", "s", ours, floor, GOAL, at_most=True),
        Figure("the command, start to the first answer, s", "s", command, floor, 0.0, at_most=True),
        Figure(f"memory after {requests:,} requests, MiB", "MiB", memory[-1:], [MOST_MIB], 1.0, at_most=True),
        Figure("memory, last third against first", "MiB", memory[-1:], memory[:1], 1.05, at_most=True),
    ]
    notes = (
        f"{STARTS} workers, each in the place of one that was killed, and {STARTS} starts of `tfmshop serve` in turn "
        "with Python importing Litestar, asyncpg, uvicorn, uvloop; memory is the resident set of the worker."
    )
    return write("p7", "P7: start and memory of a web process", notes, figures)


def _started(url: str, environment: dict[str, str]) -> float:
    """Seconds from the start of the command until it answers 200."""
    began = time.perf_counter()
    process = subprocess.Popen([BIN / "tfmshop", "serve"], env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).read()
                return time.perf_counter() - began
            except OSError:
                time.sleep(0.005)
    finally:
        process.terminate()
        process.wait(timeout=40)


def _replaced(url: str, port: int) -> float:
    """Seconds from the start of a worker, after the one before it was killed, until it answers 200."""
    killed = _worker(port)
    os.kill(killed, signal.SIGKILL)
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            answered = time.clock_gettime(time.CLOCK_BOOTTIME)
            break
        except OSError:
            time.sleep(0.002)
    started = Path(f"/proc/{_worker(port)}/stat").read_text().rpartition(")")[2].split()[19]
    return answered - int(started) / os.sysconf("SC_CLK_TCK")


def _worker(port: int) -> int:
    """The process of the server on a port that has no children."""
    found = subprocess.run(["pgrep", "-f", "tfmshop serve"], check=True, capture_output=True, text=True).stdout.split()
    ours = [int(pid) for pid in found if f"PORT={port}".encode() in _file(f"/proc/{pid}/environ").split(b"\0")]
    return next(pid for pid in ours if not _file(f"/proc/{pid}/task/{pid}/children").strip())


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _resident(process: int) -> float:
    """MiB of memory."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024
