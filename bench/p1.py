"""P1: a cached page with everything on, against a bare ASGI callable that sends the same bytes, and one that sends no
more than the body.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from bench.harness import BIN, UNLIMITED, Figure, free_port, in_turn, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

ROUNDS, SECONDS, GOAL = 20, 1, 0.80
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
            "ACCESS_LOG_RATE": "1000000", **UNLIMITED,
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        base = f"http://127.0.0.1:{port}"
        log = Path(home) / "access.log"
        with server([str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", environment, log):
            first = json.loads(urllib.request.urlopen(f"{base}/api/v1/products?limit=1").read())
            for name, path in PAGES.items():
                url = base + path.format(first["items"][0]["slug"])
                answer = Path(home) / "answer.json"
                answer.write_text(json.dumps(_answer(url)))
                floor_port = free_port()
                floor = [
                    str(BIN / "granian"), "bench.floors.bytes:app", "--interface", "asgi", "--port", str(floor_port),
                    "--loop", "uvloop", "--http", "1", "--no-ws", "--log-level", "warning",
                ]  # fmt: skip
                whole, body = f"http://127.0.0.1:{floor_port}/", f"http://127.0.0.1:{floor_port}/body"
                with server(floor, whole, {"FLOOR_ANSWER": str(answer)}):
                    found = in_turn([url, whole, body], rounds, seconds)
                figures.append(Figure(name, "requests/s", found[url], found[whole], GOAL))
                figures.append(Figure(f"{name}, its body alone", "requests/s", found[url], found[body], GOAL))
        lines = sum(1 for line in log.open("rb") if b'"url.path"' in line)
    notes = (
        f"5,000 products, one server process and one wrk thread each, 16 connections, {rounds} alternating rounds of "
        f"{seconds} s after a warm-up. The first floor sends the same headers and body, the second the body with its "
        f"type and length alone. Everything on: {lines:,} lines of access log were written."
    )
    return write("p1", "P1: cached reads", notes, figures)


def _answer(url: str) -> dict[str, object]:
    """What is answered, without what the server adds by itself."""
    with urllib.request.urlopen(url) as answer:
        headers = [(name.lower(), value) for name, value in answer.headers.items()]
        headers = [pair for pair in headers if pair[0] not in ("date", "connection")]
        return {"headers": headers, "body": answer.read().decode()}
