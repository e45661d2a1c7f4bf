"""P9: what it costs to tell what happens: metrics, log lines, alerts and traces, against nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from bench.harness import BIN, SLICE, UNLIMITED, Figure, free_port, in_slices, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

STARTS, SLICES, GOAL = 6, 40, 0.95
TOLD = {"ENABLE_FILE_LOGGING": "true", "LOG_LEVEL": "info", "TRACES_PERCENT": "1"}
WORK = {
    "cached list": {"ENABLE_CACHING": "true"},
    "cached list, a line for each": {"ENABLE_CACHING": "true", "ACCESS_LOG_RATE": "1000000"},
    "uncached list": {"ENABLE_CACHING": "false"},
}


def run(starts: int = STARTS) -> bool:
    """Measure; whether every goal was met."""
    figures = []
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config, _collector() as traces:
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "LOG_FORMAT": "json", **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        told = {"on": {**TOLD, "TRACES": traces}, "off": {"LOG_LEVEL": "error"}}
        for name, work in WORK.items():
            figures.append(_compared(name, told, {**environment, **work}, home, starts))
    notes = (
        f"5,000 products, two server processes: one with metrics, log files (at most "
        f"ACCESS_LOG_RATE lines of requests a second where nothing else is said), alerts worked out, "
        f"slow statements looked for, traces of one in a hundred requests sent by OTLP; one "
        f"with nothing of it (bench/silent.py). {starts} starts of both, each with {SLICES} slices of {SLICE} s "
        f"for each of them, by turns, after a warm-up; what a server does out of its turn is taken off (in_slices "
        f"of bench/harness.py). The speed of the machine changes by a tenth from second to second: one slice against "
        f"the next is true to 0.15, one start to 0.03."
    )
    return write("p9", "P9: telemetry", notes, figures)


@contextmanager
def _collector() -> Iterator[str]:
    """Where traces are sent: it takes whatever comes."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of it."""

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    Thread(target=collector.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{collector.server_port}/v1/traces"
    finally:
        collector.shutdown()


def _compared(
    name: str, told: dict[str, dict[str, str]], environment: dict[str, str], home: Path, starts: int
) -> Figure:  # fmt: skip
    """The same page from a server that tells everything, and from one that tells nothing."""
    rates: dict[str, list[float]] = {on: [] for on in told}
    for _ in range(starts):
        servers = {}
        with ExitStack() as started:
            for on, telling in told.items():
                port = str(free_port())
                base = f"http://127.0.0.1:{port}"
                settings = {**environment, **telling, "PORT": port}
                program = [str(BIN / "tfmshop")] if on == "on" else [sys.executable, "-m", "bench.silent"]
                serve = [*program, "serve"]
                one = server(serve, f"{base}/health/ready", settings, home / f"{on}.log")
                servers[f"{base}/api/v1/products"] = started.enter_context(one)
            for on, rate in zip(told, in_slices(servers, SLICES), strict=True):
                rates[on].append(rate)
    return Figure(name, "requests/s", rates["on"], rates["off"], GOAL)
