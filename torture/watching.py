"""What operators see: counters that are exact, an hour without a false alarm, log lines that survive midnight."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import urllib.request
from collections import Counter
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.harness import free_port
from bench.hits import CATEGORIES, PRODUCTS
from bench.traffic import Visit, visits
from tfmshop.config import read
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Database
from tfmshop.platform.observe.alerts import Engine
from tfmshop.platform.observe.readings import Reading
from tfmshop.surface.alerts import alerts_of
from torture.caching import hanging
from torture.client import Client
from torture.report import Report
from torture.shop import BUY, Shop

SETTINGS: Final = {"ENABLE_FILE_LOGGING": "true", "LOG_LEVEL": "error", "ACCESS_LOG_RATE": "1000000"}
REQUEST: Final = "http_server_request_duration_seconds"
AT_ONCE: Final = 16
RULES: Final = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules.yaml"
STEP: Final = 5.0
"""Seconds of the compressed hour between two looks."""
FASTER: Final = 10


def scraped(base: str) -> Reading:
    """Everything that is measured now."""
    request = urllib.request.Request(f"{base}/metrics", headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return codec.decode_as(answer.read(), Reading)


def _answers(reading: Reading) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for one in reading.find(REQUEST):
        labels = one.labels
        key = (labels["http_request_method"], labels["http_route"], labels["http_response_status_code"])
        found[key] += one.count
    return found


SCRIPT: Final = (
    ("GET", "/products", "/api/v1/products"), ("GET", "/products?limit=3", "/api/v1/products"),
    ("GET", "/products/none-such", "/api/v1/products/{id_or_slug}"), ("GET", "/categories", "/api/v1/categories"),
    ("GET", "/search?q=lamp", "/api/v1/search"), ("POST", "/carts", "/api/v1/carts"),
    ("GET", "/orders", "/api/v1/orders"), ("GET", "/no/such/path", "(none)"), ("PUT", "/products", "/api/v1/products"),
    ("HEAD", "/products", "/api/v1/products"), ("GET", "/products?limit=none", "/api/v1/products"),
)  # fmt: skip
"""What is asked for, and the route it must be counted for."""


async def counted(shop: Shop, report: Report, seed: int, part: int) -> None:
    """100,000 requests over two processes: each is counted once, by method, route and status, and so are statements."""
    many, draw = 100_000 // part, random.Random(seed)
    before = await asyncio.to_thread(scraped, shop.base)
    told: Counter[tuple[str, str, str]] = Counter()

    async def some(client: Client, times: int) -> None:
        for _ in range(times):
            method, path, route = draw.choice(SCRIPT)
            answer = await client.send(path, b"", {}, method)
            told[method, route, str(answer.status)] += 1

    async with shop.client(AT_ONCE) as client:
        await asyncio.gather(*[some(client, many // AT_ONCE) for _ in range(AT_ONCE)])
    await asyncio.sleep(2)
    after = await asyncio.to_thread(scraped, shop.base)
    grown = _answers(after)
    grown.subtract(_answers(before))
    wrong = {key: (grown[key], times) for key, times in told.items() if grown[key] != times}
    report.at_least("R22", "requests", told.total(), many - AT_ONCE)
    report.at_least("R22", "kinds of answers by method, route and status", len(told), 10)
    report.exactly("R22", "kinds whose counter differs from what the client was told", len(wrong), 0)
    processes = [one for one in after.find("process_resident_memory_bytes") if one.labels["process"].startswith("web-")]
    report.exactly("R22", "web processes", len(processes), 2)
    made = after.sum("db_client_operation_duration_seconds", db_query_summary="cart.create")
    made -= before.sum("db_client_operation_duration_seconds", db_query_summary="cart.create")
    carts = sum(times for (_, route, status), times in told.items() if route.endswith("/carts") and status == "201")
    report.exactly("R22", "carts that were made, less the statements that made them", carts - made, 0)


async def quiet(shop: Shop, report: Report, seed: int, part: int) -> None:
    """An hour of a shop's traffic, ten times as fast, looked at as often as the shop itself does: nothing fires."""
    await shop.command("seed", "performance")
    engine = Engine(alerts_of(read({}, None)), None, 3600)
    looks = int(3600 / STEP / part)
    over = asyncio.Event()
    fired: Counter[str] = Counter()
    async with shop.working(), shop.database() as db, shop.client(AT_ONCE) as client:
        traffic = [asyncio.create_task(_customers(client, await _day(db, seed + n), over, n)) for n in range(4)]
        begun, start = asyncio.get_running_loop().time(), clock.now()
        for look in range(looks):
            await asyncio.sleep(max(0.0, begun + look * STEP / FASTER - asyncio.get_running_loop().time()))
            reading = await asyncio.to_thread(scraped, shop.base)
            engine.tick(Reading(start + timedelta(seconds=look * STEP), reading.families))
            fired.update({one.alert for one in engine.shown() if one.state == "firing"})
        over.set()
        asked = sum(await asyncio.gather(*traffic))
    report.at_least("R21h", "an hour, compressed: looks", looks, 3600 / STEP / part)
    report.at_least("R21h", "an hour, compressed: requests", asked, 20_000 / part)
    report.exactly("R21h", f"an hour, compressed: alerts that fired {dict(fired) or ''}".strip(), len(fired), 0)


async def _day(db: Database, seed: int) -> list[Visit]:
    async with db.read() as tx:
        products = [(row["id"], row["slug"], row["title"]) for row in await tx.rows(PRODUCTS)]
        categories = [row["slug"] for row in await tx.rows(CATEGORIES)]
    return list(islice(visits(seed, products, categories), 100_000))


async def _customers(client: Client, day: list[Visit], over: asyncio.Event, seed: int) -> int:
    """Visits, one after the other, with pauses that become shorter and longer again; how many requests."""
    asked, draw = 0, random.Random(seed)
    for number, visit in enumerate(day):
        if over.is_set():
            break
        await asyncio.sleep(draw.expovariate(30 + 20 * ((number // 500) % 3)))
        if visit.path:
            await client.send(visit.path, b"", {}, "GET")
            asked += 1
            continue
        cart = (await client.post("/carts", {}, {})).json()
        owner = {"Cart-Token": cart["token"]}
        for product in visit.products:
            await client.post(f"/carts/{cart['id']}/lines", {"product_id": product, "quantity": 1}, owner)
        if visit.ordered:
            await client.post(f"/carts/{cart['id']}/checkout", BUY, {**owner, "Idempotency-Key": ids.token()})
        asked += 3 + visit.ordered
    return asked


async def prometheus(shop: Shop, report: Report, _: int, __: int) -> None:
    """A real Prometheus scrapes the shop and loads its rules; Redis hangs; its API says what fires."""
    port, folder = free_port(), shop.home / "prometheus"
    folder.mkdir()
    scrape = {"job_name": "tfmshop", "static_configs": [{"targets": [shop.base.removeprefix("http://")]}]}
    settings = {"global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
                "rule_files": [str(RULES)], "scrape_configs": [scrape]}  # fmt: skip
    (folder / "prometheus.yaml").write_text(json.dumps(settings))
    program = await asyncio.create_subprocess_exec(
        "prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.sleep(15)
        targets = await _asked(port, "targets?state=active")
        up = [one["health"] for one in targets["activeTargets"]]
        report.exactly("R21p", "Prometheus: targets that are up", up.count("up"), 1)
        rules = (await _asked(port, "rules"))["groups"][0]["rules"]
        report.exactly("R21p", "Prometheus: rules that it cannot work out", sum(r["health"] == "err" for r in rules), 0)
        report.at_least("R21p", "Prometheus: rules", len(rules), 30)
        names = [one["labels"]["alertname"] for one in (await _asked(port, "alerts"))["alerts"]
                 if one["state"] == "firing"]  # fmt: skip
        before = set(names) - {"NoJobRunner", "ClockStopped"}
        report.exactly("R21p", "Prometheus: alerts before anything is wrong", len(before), 0)
        async with hanging(shop):
            for second in range(120):  # noqa: B007 - told below
                found = [one for one in (await _asked(port, "alerts"))["alerts"]
                         if (one["labels"]["alertname"], one["state"]) == ("RedisDown", "firing")]  # fmt: skip
                if found:
                    break
                await asyncio.sleep(1)
        print(json.dumps(found, indent=2))
        report.at_most("R21p", "Prometheus: RedisDown fires, after s", second, 120)
    finally:
        program.terminate()
        await program.wait()


async def _asked(port: int, what: str) -> Any:
    def ask() -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{what}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    return await asyncio.to_thread(ask)


async def midnight(shop: Shop, report: Report, seed: int, part: int) -> None:
    """Two processes under load write their logs through a midnight; each request is there once, on its own day."""
    told: list[str] = []
    draw, loop = random.Random(seed), asyncio.get_running_loop()
    seconds = 75 if part == 1 else 25
    over = loop.time() + seconds

    async def some(client: Client, mine: int) -> None:
        number = 0
        while loop.time() < over:
            id = f"seed{seed}-{mine}-{number}"
            path = draw.choice(["/products", "/no/such/path", "/categories", "/search?q=lamp"])
            await client.send(path, b"", {"X-Request-Id": id}, "GET")
            told.append(id)
            number += 1
            await asyncio.sleep(0.001)

    async with shop.client(AT_ONCE) as client:
        await asyncio.gather(*[some(client, mine) for mine in range(AT_ONCE)])
    await asyncio.sleep(1)
    lines: list[dict[str, Any]] = []
    broken = misplaced = compressed = 0
    days = set()
    for file in sorted((shop.home / "logs").glob("access-*")):
        compressed += file.suffix == ".gz"
        day = file.name[7:17]
        days.add(day)
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
            for line in content:
                try:
                    lines.append(json.loads(line))
                    misplaced += lines[-1]["@timestamp"][:10] != day
                except ValueError:
                    broken += 1
    written = Counter(line["http.request.id"] for line in lines)
    report.at_least("S5.2", "midnight: requests", len(told), 20 * seconds)
    report.exactly("S5.2", "midnight: lines that are lost", sum(not written[id] for id in told), 0)
    report.exactly("S5.2", "midnight: lines that are doubled", sum(written[id] > 1 for id in told), 0)
    report.exactly("S5.2", "midnight: lines that are no JSON", broken, 0)
    report.exactly("S5.2", "midnight: lines on the wrong day", misplaced, 0)
    report.at_least("S5.2", "midnight: days, the first compressed", len(days) + compressed, 3 if part == 1 else 2)
