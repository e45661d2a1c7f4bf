"""P1: a cached page with everything on, against a bare ASGI callable that sends the same bytes."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path

from bench.harness import BIN, UNLIMITED, alternate, free_port, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

ROUNDS, SECONDS, GOAL = 7, 4, 0.80
PAGES = {
    "list": "/api/v1/products",
    "category page": "/api/v1/products?category=laptops",
    "detail": "/api/v1/products/{}",
}


def run(rounds: int = ROUNDS, seconds: int = SECONDS) -> bool:
    """Measure; whether every goal was met."""
    figures = []
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        port = free_port()
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "PORT": str(port), "LOG_LEVEL": "http", "LOG_FORMAT": "json",
            **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        base = f"http://127.0.0.1:{port}"
        log = Path(home) / "access.log"
        with server([str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", environment, log):
            slug = _get(f"{base}/api/v1/products?limit=1").partition(b'"slug":"')[2].partition(b'"')[0].decode()
            for name, path in PAGES.items():
                url = base + path.format(slug)
                body = Path(home) / "body.json"
                body.write_bytes(_get(url))
                floor_port = free_port()
                floor = [
                    str(BIN / "granian"), "bench.floors.bytes:app", "--interface", "asgi", "--port", str(floor_port),
                    "--loop", "uvloop", "--http", "1", "--no-ws", "--log-level", "warning",
                ]  # fmt: skip
                floor_url = f"http://127.0.0.1:{floor_port}/"
                with server(floor, floor_url, {"FLOOR_BODY": str(body)}):
                    figures.append(alternate(name, url, floor_url, rounds, seconds, GOAL))
        lines = sum(1 for line in log.open("rb") if b'"message":"request"' in line)
    notes = (
        f"5,000 products, one server process and one wrk thread each, 16 connections, {rounds} alternating rounds of "
        f"{seconds} s after a warm-up. Everything on: {lines:,} lines of access log were written."
    )
    return write("p1", "P1: cached reads", notes, figures)


def _get(url: str) -> bytes:
    body: bytes = urllib.request.urlopen(url).read()
    return body
