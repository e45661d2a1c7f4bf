"""P2: uncached product list, category page and detail, against a bare ASGI callable with the same SQL."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request

from bench.harness import BIN, CONNECTIONS, UNLIMITED, alternate, free_port, scratch_home, server, write
from tfmshop.config import read
from tfmshop.platform.embedded import running

ROUNDS, SECONDS, GOAL = 20, 1, 0.75


def run(rounds: int = ROUNDS, seconds: int = SECONDS) -> bool:
    """Measure; whether every goal was met."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        ours_port, floor_port = free_port(), free_port()
        environment = {
            "DATABASE_URL": config.text("DATABASE_URL"), "REDIS_URL": config.text("REDIS_URL"),
            "TFMSHOP_HOME": str(home), "PORT": str(ours_port), "LOG_LEVEL": "info", "SUSPICION": "off", **UNLIMITED,
            "ENABLE_CACHING": "false",
        }  # fmt: skip
        subprocess.run([BIN / "tfmshop", "seed", "performance"], check=True, env={**os.environ, **environment})
        floor = [
            str(BIN / "granian"), "bench.floors.reads:app", "--factory", "--interface", "asgi", "--port",
            str(floor_port), "--loop", "uvloop", "--http", "1", "--no-ws", "--log-level", "warning",
        ]  # fmt: skip
        ours_base, floor_base = f"http://127.0.0.1:{ours_port}", f"http://127.0.0.1:{floor_port}"
        with (
            server([str(BIN / "tfmshop"), "serve"], f"{ours_base}/health/ready", environment),
            server(floor, f"{floor_base}/list", environment),
        ):
            slug = _get(f"{ours_base}/api/v1/products?limit=1")["items"][0]["slug"]
            pages = {
                "list": ("/api/v1/products", "/list"),
                "category page": ("/api/v1/products?category=laptops", "/category/laptops"),
                "detail": (f"/api/v1/products/{slug}", f"/products/{slug}"),
            }
            for name, (ours, bare) in pages.items():
                _same_body(name, _get(ours_base + ours), _get(floor_base + bare))
            figures = [
                alternate(name, ours_base + ours, floor_base + bare, rounds, seconds, GOAL)
                for name, (ours, bare) in pages.items()
            ]
    notes = (
        f"5,000 products, one server process and one wrk thread each, {CONNECTIONS} connections, "
        f"{rounds} alternating rounds of {seconds} s after a warm-up."
    )
    return write("p2", "P2: uncached reads", notes, figures)


def _get(url: str) -> dict:
    return json.loads(urllib.request.urlopen(url).read())


def _same_body(name: str, ours: dict, floor: dict) -> None:
    """The floor must send what we send, but for the form of the cursor."""
    ours.pop("next_cursor", None)
    floor.pop("next_cursor", None)
    if ours != floor:
        different = {key for key in ours | floor if ours.get(key) != floor.get(key)}
        raise SystemExit(f"the floor of {name} sends something else in {different}")
