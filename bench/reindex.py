"""A reindex of 200,000 products while 50 writers change products and readers read: what is lost, slow, or large."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import httpx

from bench.harness import BIN, Figure, free_port, scratch_home, server, write
from bench.million import seed
from tfmshop.commerce import search
from tfmshop.config import read
from tfmshop.platform import ids
from tfmshop.platform.db import Options, Query, broken, connect
from tfmshop.platform.embedded import running
from tfmshop.platform.security.access import AccessTokens, Viewer, secret_kept_in

PRODUCTS, WRITERS, SECONDS = 200_000, 50, 20
PACE = 0.5
"""Seconds that a writer rests between changes: 100 changes a second together."""
KEPT = Query("bench.entries", "SELECT md5(string_agg((to_jsonb(e) - 'first_tier')::text, '|' ORDER BY product_id)) "
             "FROM search.entry AS e")  # fmt: skip
SOME = Query("bench.some", "SELECT slug FROM catalog.product ORDER BY id LIMIT 5000")


def run(products: int = PRODUCTS, **_: object) -> bool:
    """Measure; whether every goal was met."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        url, port = config.text("DATABASE_URL"), free_port()
        environment = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home),
                       "PORT": str(port), "LOG_LEVEL": "error"}  # fmt: skip
        seed(products, environment)
        base = f"http://127.0.0.1:{port}"
        with server([str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", environment):
            return asyncio.run(_run(url, base, Path(home), environment, products))


async def _run(url: str, base: str, home: Path, environment: dict[str, str], products: int) -> bool:
    db = await connect(url, Options(statement_seconds=600, bulk=True))
    async with db.read() as tx:
        slugs = [row[0] for row in await tx.rows(SOME)]
    token = AccessTokens(secret_kept_in(home / "jwt.secret")).issue(Viewer(ids.new(), "admin"))
    usual, _ = await _load(base, token, slugs, asyncio.create_task(asyncio.sleep(SECONDS)))
    memory: list[int] = []
    reindexing = asyncio.create_task(asyncio.to_thread(_reindex, environment, memory))
    during, changes = await _load(base, token, slugs, reindexing)
    async with db.read() as tx:
        offenders = await broken(tx)
        kept = await tx.value(KEPT)
    await search.reindex(db, "english", lambda *_: None)
    async with db.read() as tx:
        same = kept == await tx.value(KEPT)
    await db.close()
    p99 = sorted(usual)[int(len(usual) * 0.99)]
    late = sum(time > 2 * p99 for time in during)
    p99_during = sorted(during)[int(len(during) * 0.99)]
    print(f"usual p99 {p99:.1f} ms, max {max(usual):.1f}; during: p99 {p99_during:.1f} ms, "
          f"max {max(during):.1f}, {late} of {len(during)} requests above twice the usual p99; {changes} changes; "
          f"broken truths: {offenders}; same as made anew: {same}")  # fmt: skip
    lost = 0.0 if same and not offenders else 1.0
    notes = f"{products:,} products, {WRITERS} writers and 4 readers over HTTP, {changes} changes during the reindex."
    return write("reindex", "A reindex beside 50 writers", notes, [
        Figure("slowest request during against p99 before", "ms", [max(during)], [p99], 2.0, at_most=True),
        Figure("p99 during against p99 before", "ms", [p99_during], [p99], 0, at_most=True),
        Figure("largest memory of the reindex against 300 MiB", "MiB", [max(memory)], [300], 1.0, at_most=True),
        Figure("entries lost or stale (1 = some)", "", [lost], [1], 0.001, at_most=True),
    ])  # fmt: skip


def _reindex(environment: dict[str, str], memory: list[int]) -> None:
    process = subprocess.Popen([BIN / "tfmshop", "search", "reindex"], env={**os.environ, **environment})
    watch = threading.Event()
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory.append(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024)
        watch.wait(0.2)
    if process.returncode:
        raise SystemExit("the reindex failed")


async def _load(base: str, token: str, slugs: list[str], until: asyncio.Task[None]) -> tuple[list[float], int]:
    """Write and read until a task ends; milliseconds of every request, and the number of changes."""
    times: list[float] = []
    changes = 0
    limits = httpx.Limits(max_connections=80)
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=30) as client:

        async def timed(method: str, path: str, **more: object) -> None:
            started = time.perf_counter()
            answer = await client.request(method, path, **more)  # type: ignore[arg-type]
            times.append((time.perf_counter() - started) * 1000)
            if answer.status_code >= 400:
                raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")

        async def writer(number: int) -> None:
            nonlocal changes
            headers = {"Authorization": f"Bearer {token}"}
            mine = slugs[number::WRITERS]
            await asyncio.sleep(random.random() * PACE)
            while not until.done():
                change = random.choice([{"title": f"Changed {changes}"}, {"status": "archived"}, {"status": "active"}])
                await timed("PATCH", f"/api/v1/admin/products/{random.choice(mine)}", json=change, headers=headers)
                changes += 1
                await asyncio.sleep(PACE)

        async def reader() -> None:
            while not until.done():
                path = random.choice(("products?category=laptops", "search?q=black+laptop", "products?sort=price"))
                await timed("GET", f"/api/v1/{path}")
                await asyncio.sleep(0.05)

        await asyncio.gather(*[writer(number) for number in range(WRITERS)], *[reader() for _ in range(4)])
    await until
    return times, changes
