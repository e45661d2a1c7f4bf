"""A reindex of 200,000 products while 50 writers change products and readers read: what is lost, slow, or large."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.harness import BIN, UNLIMITED, Figure, free_port, scratch_home, server, write
from bench.million import seed
from tfmshop.commerce import search
from tfmshop.config import read
from tfmshop.platform import codec
from tfmshop.platform.db import Options, Query, broken, connect
from tfmshop.platform.embedded import running
from torture.client import Client

PRODUCTS, WRITERS, READERS, SECONDS = 200_000, 50, 4, 60
PACE = 0.5
"""Seconds that a writer rests between changes: 100 changes a second together."""
SIGNED_IN_SECONDS = 300
KEPT = Query("bench.entries", "SELECT md5(string_agg((to_jsonb(e) - 'first_tier')::text, '|' ORDER BY product_id)) "
             "FROM search.entry AS e")  # fmt: skip
SOME = Query("bench.some", "SELECT slug FROM catalog.product ORDER BY id LIMIT 5000")


def run(products: int = PRODUCTS, **_: object) -> bool:
    """Measure; whether every goal was met."""
    with scratch_home() as home, running(read({"TFMSHOP_HOME": str(home)}, None)) as config:
        url, port = config.text("DATABASE_URL"), free_port()
        environment = {"DATABASE_URL": url, "REDIS_URL": config.text("REDIS_URL"), "TFMSHOP_HOME": str(home),
                       "PORT": str(port), "LOG_LEVEL": "error", "SUSPICION": "off"} | UNLIMITED  # fmt: skip
        seed(products, environment)
        base = f"http://127.0.0.1:{port}"
        with server([str(BIN / "tfmshop"), "serve"], f"{base}/health/ready", environment):
            return asyncio.run(_run(url, base, environment, products))


async def _run(url: str, base: str, environment: dict[str, str], products: int) -> bool:
    db = await connect(url, Options(statement_seconds=600, bulk=True))
    async with db.read() as tx:
        slugs = [row[0] for row in await tx.rows(SOME)]
    staff = await _appointed(base, environment)
    usual, _ = await _load(base, staff, slugs, asyncio.create_task(asyncio.sleep(SECONDS)))
    memory: list[int] = []
    reindexing = asyncio.create_task(asyncio.to_thread(_reindex, environment, memory))
    during, changes = await _load(base, staff, slugs, reindexing)
    async with db.read() as tx:
        offenders = await broken(tx)
        kept = await tx.value(KEPT)
    await search.reindex(db, "english", lambda *_: None, rest=0)
    async with db.read() as tx:
        same = kept == await tx.value(KEPT)
    await db.close()
    lost = 0.0 if same and not offenders else 1.0
    print(f"{changes} changes; broken truths: {offenders}; same as made anew: {same}")
    usual_p99 = {what: _p99([one.ms for one in usual if one.what == what]) for what in sorted({o.what for o in usual})}
    late = sorted((one for one in during if one.ms > 2 * usual_p99[one.what]), key=lambda one: one.at)
    print(f"{len(late)} of {len(during)} requests above twice their usual p99; usual: "
          f"{sum(one.ms > 2 * usual_p99[one.what] for one in usual)} of {len(usual)}")  # fmt: skip
    for one in late:
        print(f"  {one.at:7.2f} s  {one.ms:6.0f} ms  {one.what}")
    notes = (f"{products:,} products, {WRITERS} writers and {READERS} readers over HTTP, {changes} changes during the "
             "reindex.")  # fmt: skip
    figures = [figure for what, p99 in usual_p99.items() for figure in (
        Figure(f"{what}: slowest during against usual p99", "ms", [max(o.ms for o in during if o.what == what)], [p99],
               2.0, at_most=True),
        Figure(f"{what}: p99 during against usual", "ms", [_p99([o.ms for o in during if o.what == what])], [p99], 0,
               at_most=True),
        Figure(f"{what}: slowest before against usual p99", "ms", [max(o.ms for o in usual if o.what == what)], [p99],
               0, at_most=True),
    )]  # fmt: skip
    return write("reindex", "A reindex beside 50 writers", notes, [
        *figures,
        Figure("requests refused", "", [sum(one.refused for one in during)], [1], 0.001, at_most=True),
        Figure("requests slower than twice their usual p99, of 10,000", "", [1e4 * len(late) / len(during)],
               [max(1e4 * sum(o.ms > 2 * usual_p99[o.what] for o in usual) / len(usual), 1)], 0, at_most=True),
        Figure("largest memory of the reindex against 300 MiB", "MiB", [max(memory)], [300], 1.0, at_most=True),
        Figure("entries lost or stale (1 = some)", "", [lost], [1], 0.001, at_most=True),
    ])  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request: what it was, when it began (seconds since the load did), how many milliseconds it took, and
    whether it was refused.
    """

    what: str
    at: float
    ms: float
    refused: bool


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _reindex(environment: dict[str, str], memory: list[int]) -> None:
    process = subprocess.Popen([BIN / "tfmshop", "search", "reindex"], env={**os.environ, **environment})
    watch = threading.Event()
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        memory.append(int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024)
        watch.wait(0.2)
    if process.returncode:
        raise SystemExit("the reindex failed")


@dataclass
class Staff:
    """Somebody who may change products, and signs in anew before a token ends."""

    base: str
    proof: bytes
    token: str = ""
    until: float = 0.0

    async def headers(self) -> dict[str, str]:
        """What a change is sent with."""
        if time.monotonic() > self.until:
            self.until = time.monotonic() + SIGNED_IN_SECONDS
            async with Client(self.base, 1) as client:
                self.token = (await client.send("/auth/login", self.proof, {})).json()["access_token"]
        return {"Authorization": f"Bearer {self.token}"}


async def _appointed(base: str, environment: dict[str, str]) -> Staff:
    who = {"email": "staff@example.com", "password": "a lamp of brass and glass"}
    async with Client(base, 1) as client:
        await client.send("/auth/register", codec.encode(who | {"name": "Staff"}), {})
    appoint = [str(BIN / "tfmshop"), "accounts", "role", who["email"], "admin", "--verified"]
    await asyncio.to_thread(subprocess.run, appoint, env={**os.environ, **environment}, check=True)
    staff = Staff(base, codec.encode(who))
    await staff.headers()
    return staff


async def _load(base: str, staff: Staff, slugs: list[str], until: asyncio.Task[None]) -> tuple[list[Request], int]:
    """Write and read until a task ends; every request, and the number of changes."""
    times: list[Request] = []
    began = time.perf_counter()
    changes = 0

    async def timed(client: Client, what: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        started = time.perf_counter()
        answer = await client.send(path, body, headers, method)
        refused = answer.status >= 400
        times.append(Request(what, started - began, (time.perf_counter() - started) * 1000, refused))
        if refused:
            print(f"{method} {path}: {answer.kind}")

    async def writer(number: int) -> None:
        nonlocal changes
        mine = slugs[number::WRITERS]
        await asyncio.sleep(random.random() * PACE)
        async with Client(base, 1) as client:
            while not until.done():
                change = random.choice([{"title": f"Changed {changes}"}, {"status": "archived"}, {"status": "active"}])
                path = f"/admin/products/{random.choice(mine)}"
                await timed(client, "change", "PATCH", path, codec.encode(change), await staff.headers())
                changes += 1
                await asyncio.sleep(PACE)

    async def reader() -> None:
        async with Client(base, 1) as client:
            while not until.done():
                path = random.choice(("products?category=laptops", "search?q=black+laptop", "products?sort=price"))
                await timed(client, "search" if path.startswith("search") else "list", "GET", f"/{path}", b"", {})
                await asyncio.sleep(0.05)

    await asyncio.gather(*[writer(number) for number in range(WRITERS)], *[reader() for _ in range(READERS)])
    await until
    return times, changes
