"""P9: what it costs to tell what happens: metrics, log lines, alerts and traces, against nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.harness import BIN, UNLIMITED, Figure, free_port, in_turn, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

ROUNDS, SECONDS, GOAL = 9, 4, 0.95
TOLD = {
    "on": {"ENABLE_FILE_LOGGING": "true", "LOG_LEVEL": "info", "TRACES": "console", "TRACES_PERCENT": "1"},
    "off": {"LOG_LEVEL": "error"},
}
CACHING = {"cached list": "true", "uncached list": "false"}


def run(rounds: int = ROUNDS, seconds: int = SECONDS) -> bool:
    """Measure; whether every goal was met."""
    figures = []
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "LOG_FORMAT": "json", **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        for name, caching in CACHING.items():
            figures.append(_compared(name, {**environment, "ENABLE_CACHING": caching}, home, rounds, seconds))
    notes = (
        f"5,000 products, two server processes: one with metrics, log files (each request a line), alerts worked out, "
        f"slow statements looked for, traces of one in a hundred requests; one with nothing of it (bench/silent.py). "
        f"{rounds} alternating rounds of {seconds} s after a warm-up."
    )
    return write("p9", "P9: telemetry", notes, figures)


def _compared(name: str, environment: dict[str, str], home: Path, rounds: int, seconds: int) -> Figure:
    """The same page from a server that tells everything, and from one that tells nothing."""
    urls = []
    with ExitStack() as servers:
        for on, told in TOLD.items():
            port = str(free_port())
            base = f"http://127.0.0.1:{port}"
            urls.append(f"{base}/api/v1/products")
            settings = {**environment, **told, "PORT": port}
            program = [str(BIN / "tfmshop")] if on == "on" else [sys.executable, "-m", "bench.silent"]
            serve = [*program, "serve"]
            servers.enter_context(server(serve, f"{base}/health/ready", settings, home / f"{on}.log"))
        on_url, off_url = urls
        found = in_turn(urls, rounds, seconds)
    return Figure(name, "requests/s", found[on_url], found[off_url], GOAL)
