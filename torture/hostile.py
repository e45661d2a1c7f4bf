"""R17: hostile text into every parameter and field of every operation, and JSON that breaks parsers."""

from __future__ import annotations

import asyncio
import json
import random
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import perf_counter

from tfmshop.platform import codec
from torture.asking import Asked, asked, fill
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import Shop
from torture.world import World, open_world

DATA = Path(__file__).parents[2] / "shared" / "data" / "hostile"
STRINGS = 120
"""Of some thousand; each seed draws its own."""
AT_ONCE = 16
SLOW_SECONDS = 1.0
CONFLICT = 409


async def everywhere(shop: Shop, report: Report, seed: int, part: int) -> None:
    """No string makes an error of ours or takes long, wherever it is put."""
    if not DATA.is_dir():
        print(" R17  skipped: the hostile data (../shared/data/hostile) is not here", flush=True)
        return
    strings = random.Random(seed).sample(_strings(), STRINGS // part)
    world = await open_world(shop)
    async with shop.client(AT_ONCE) as client, shop.working():
        document = (await client.send("/openapi.json", b"", {}, "GET", base="")).json()
        tried, wrong, slow, unnamed = 0, [], [], []

        async def one(case: Asked, filling: dict[str, str]) -> int:
            headers = {name: fill(value, filling) for name, value in case.headers.items()}
            target, body = fill(case.target, filling), fill(case.body, filling).encode()
            started = perf_counter()
            try:
                answer = await client.send(target, body, headers, case.method, base="")
            except OSError:  # the server closes a connection that was idle for long
                answer = await client.send(target, body, headers, case.method, base="")
            seconds = perf_counter() - started
            nonlocal tried
            tried += 1
            if answer.status >= 500:
                wrong.append((case.name, answer.kind, target, body))
            if seconds > SLOW_SECONDS:
                slow.append((case.name, round(seconds, 2)))
            if answer.status >= 400 and not _named(answer):
                unnamed.append((case.name, answer.status))
            return answer.status

        for request in asked(document):
            cases = (case for text in strings for case in request.putting(text))
            await asyncio.gather(*[_drain(world, cases, one) for _ in range(AT_ONCE)])
        operations = sum(len(of) for of in document["paths"].values())
        report.at_least("R17", "operations tried", operations, 100)
        report.at_least("R17", "requests", tried, 10_000 // part)
        for found in (*wrong[:5], *slow[:5], *unnamed[:5]):
            print("     ", found, flush=True)
        report.exactly("R17", "answers of 500 and above", len(wrong), 0)
        report.exactly("R17", "answers after more than a second", len(slow), 0)
        report.exactly("R17", "refusals without a code", len(unnamed), 0)
        await _documents(client, report)


async def _drain(world: World, cases: Iterator[Asked], one: Callable[[Asked, dict[str, str]], Awaitable[int]]) -> None:
    """Send cases of one operation, with things made anew whenever an answer may have used them up."""
    filling: dict[str, str] = {}
    for case in cases:
        filling = filling or await asyncio.to_thread(world.make, case) | {"staff": world.staff}
        status = await one(case, filling)
        if case.method != "GET" and (status < 300 or status == CONFLICT):
            filling = {}


async def _documents(client: Client, report: Report) -> None:
    """JSONTestSuite: what is no JSON is refused as such, what is some is never an error of ours."""
    taken = broken = 0
    with tarfile.open(DATA / "jsontestsuite_test_parsing.tar.xz") as archive:
        files = [one for one in archive.getmembers() if one.isfile() and one.name.endswith(".json")]
        for file in files:
            content = archive.extractfile(file)
            assert content is not None
            answer = await client.send("/api/v1/auth/forgot-password", content.read(), {}, "POST", base="")
            name = Path(file.name).name
            taken += name.startswith("n_") and answer.status not in (400, 422)
            broken += answer.status >= 500
    report.at_least("R17", "JSON documents", len(files), 300)
    report.exactly("R17", "documents that are no JSON and were taken", taken, 0)
    report.exactly("R17", "documents that broke something", broken, 0)


def _named(answer: Answer) -> bool:
    try:
        return bool(answer.json()["code"])
    except (codec.Malformed, KeyError, TypeError):
        return False


def _strings() -> list[str]:
    texts = [text for text in json.loads((DATA / "blns.json").read_text()) if text]
    for file in sorted((DATA / "payloads").glob("*.txt")):
        texts += [line for line in file.read_text(errors="replace").splitlines() if line]
    return [text[:1000] for text in texts]
