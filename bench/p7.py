"""P7: a web process from its start to the first answer, and what it holds after 100,000 requests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench.harness import BIN, UNLIMITED, Figure, free_port, requests_per_second, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

STARTS, REQUESTS, GOAL, MOST_MIB = 5, 100_000, 1.5, 120
FLOOR = [sys.executable, "-c", "import litestar, asyncpg, granian, uvloop"]


def run(requests: int = REQUESTS) -> bool:
    """Measure; whether every goal was met."""
    ours, floor, memory = [], [], []
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        port = free_port()
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "PORT": str(port), "LOG_LEVEL": "warn", "SUSPICION": "off", **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        url = f"http://127.0.0.1:{port}/api/v1/products"
        for _ in range(STARTS):
            ours.append(_started(url, environment))
            began = time.perf_counter()
            subprocess.run(FLOOR, check=True)
            floor.append(time.perf_counter() - began)
        with server([str(BIN / "tfmshop"), "serve"], url, environment):
            for path in ("", "?sort=price", "?category=laptops"):
                done, least = 0.0, requests / 3
                while done < least:
                    done += 4 * requests_per_second(url + path, seconds=4, connections=16)
                memory.append(_resident(port))
    figures = [
        Figure("start to the first answer, s", "s", ours, floor, GOAL, at_most=True),
        Figure(f"memory after {requests:,} requests, MiB", "MiB", memory[-1:], [MOST_MIB], 1.0, at_most=True),
        Figure("memory, last third against first", "MiB", memory[-1:], memory[:1], 1.05, at_most=True),
    ]
    notes = (
        f"{STARTS} starts of `tfmshop serve` in turn with Python importing Litestar, asyncpg, Granian, uvloop; memory "
        "is the resident set of the worker process."
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


def _resident(port: int) -> float:
    """MiB of the process that listens on a port and has no children: the worker."""
    found = subprocess.run(["pgrep", "-f", "tfmshop serve"], check=True, capture_output=True, text=True).stdout.split()
    sizes = []
    for pid in found:
        try:
            if f"PORT={port}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                assert match is not None
                sizes.append(int(match[1]) / 1024)
        except OSError:
            continue
    return max(sizes)
