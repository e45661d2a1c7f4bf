"""A shop of two web processes and a job runner, watched as its operators watch it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from tests.processes import BIN, UNLIMITED, call, environment, free_port, kill_group, tfmshop, wait_for
from tests.servers import REDIS, create_database, drop_database
from tfmshop import config
from tfmshop.platform import clock
from tfmshop.platform.observe import told
from tfmshop.surface.cli.screen import Screen
from tfmshop.surface.cli.source import Source

REQUEST = "http_server_request_duration_seconds"
TOKEN = "a token for those who look after the shop"


@pytest.fixture(scope="module")
async def shop(tmp_path_factory):
    """Its address and home, for all tests of this file."""
    home, port, name = tmp_path_factory.mktemp("watched"), free_port(), f"watched_{os.getpid()}"
    settings = environment(
        DATABASE_URL=await create_database(name), REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(home), PORT=str(port),
        WORKERS="2", METRICS_TOKEN=TOKEN, ENABLE_FILE_LOGGING="true", SLOW_QUERY="1", **UNLIMITED,
    )  # fmt: skip
    children = [_started(command, home, settings) for command in ("serve", "work")]
    wait_for(f"http://127.0.0.1:{port}/health/ready", children[0])
    yield f"http://127.0.0.1:{port}", home, settings["DATABASE_URL"]
    for child in children:
        kill_group(child)
    await drop_database(name)


def _started(command: str, home: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(BIN), command], cwd=home, env=settings, start_new_session=True)


def scraped(base: str, accept: str = "application/json"):
    request = urllib.request.Request(f"{base}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
        return json.loads(body) if accept == "application/json" else body.decode()


def asked_for(metrics, **labels: str) -> int:
    """How often requests with these labels were answered."""
    return sum(
        sum(one["buckets"]) for one in metrics["families"][REQUEST]["series"]
        if all(one["labels"][label] == value for label, value in labels.items())
    )  # fmt: skip


async def some(base: str, count: int, path: str) -> None:
    """So many requests, over connections that both processes take."""

    def part() -> None:
        for _ in range(count // 8):
            call(f"{base}{path}")

    await asyncio.gather(*(asyncio.to_thread(part) for _ in range(8)))


async def test_every_request_is_counted_once_over_processes_and_kills(shop):
    base, *_ = shop
    before = scraped(base)
    assert {one["labels"]["process"].partition("-")[0] for one in
            before["families"]["process_resident_memory_bytes"]["series"]} >= {"web"}  # fmt: skip
    await some(base, 400, "/api/v1/products")
    await some(base, 80, "/api/v1/products/no-such-thing")
    web = [one["labels"]["process"] for one in before["families"]["process_resident_memory_bytes"]["series"]
           if one["labels"]["process"].startswith("web-")]  # fmt: skip
    os.kill(int(web[0].partition("-")[2]), signal.SIGKILL)
    await asyncio.sleep(0.2)
    for _ in range(200):
        try:
            after = scraped(base)
            break
        except OSError:
            await asyncio.sleep(0.05)
    route = {"http_route": "/api/v1/products", "http_response_status_code": "200"}
    assert asked_for(after, **route) - asked_for(before, **route) == 400
    gone = {"http_route": "/api/v1/products/{id_or_slug}", "http_response_status_code": "404"}
    assert asked_for(after, **gone) - asked_for(before, **gone) == 80


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_finds_nothing_to_say_about_the_metrics(shop):
    base, *_ = shop
    checked = subprocess.run(["promtool", "check", "metrics"], input=scraped(base, "text/plain"), text=True,
                             capture_output=True, timeout=30)  # fmt: skip
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert scraped(base, "application/openmetrics-text").endswith("# EOF\n")


def test_who_may_look_and_who_may_not(shop):
    base, *_ = shop
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    assert call(f"{base}/metrics", headers=forwarded)[0] == 403
    assert call(f"{base}/health", headers=forwarded) == (200, {"status": "ok"})
    whole = call(f"{base}/health", headers={**forwarded, "Authorization": f"Bearer {TOKEN}"})[1]
    assert whole["dependencies"]["postgresql"]["status"] == whole["dependencies"]["redis"]["status"] == "ok"
    assert whole["schema"] == whole["schema_wanted"]
    assert whole["disk"]["free_bytes"] > 0
    assert call(f"{base}/health", headers={**forwarded, "Authorization": "Bearer guess"})[1] == {"status": "ok"}


def test_logs_of_all_processes_are_read_by_command(shop):
    base, home, _ = shop
    trace = "0af7651916cd43dd8448eb211c80319c"
    call(f"{base}/api/v1/search?q=lamp", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                                                   "X-Request-Id": "find-me-again"})  # fmt: skip
    for _ in range(100):
        found = [e for e in told.events(home / "logs", ["access"], clock.now() - timedelta(minutes=5))
                 if e["http.request.id"] == "find-me-again"]  # fmt: skip
        if found:
            break
        time.sleep(0.05)
    assert (found[0]["trace.id"], found[0]["url.path"]) == (trace, "/api/v1/search")
    shown = tfmshop("logs", "access", "--path", "/api/v1/search", cwd=home, TFMSHOP_HOME=str(home))
    assert "find-me-again" in shown.stdout
    slow = tfmshop("logs", "slow", "--json", cwd=home, TFMSHOP_HOME=str(home))
    assert any("plan" in event for event in json.loads(slow.stdout)), slow.stdout[:500]


async def test_a_flood_has_some_lines_which_say_how_many_have_none(shop, tmp_path):
    """As many as the metrics count, lines and gaps together, and no more lines than the setting lets be."""
    port, began = free_port(), time.monotonic()
    base, rate = f"http://127.0.0.1:{port}", 10
    settings = environment(
        DATABASE_URL=shop[2], REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(tmp_path), PORT=str(port), WORKERS="1",
        ENABLE_FILE_LOGGING="true", ACCESS_LOG_RATE=str(rate), **UNLIMITED,
    )  # fmt: skip
    child = _started("serve", tmp_path, settings)
    try:
        wait_for(f"{base}/health/ready", child)
        await some(base, 400, "/api/v1/products")
        counted = sum(sum(one["buckets"]) for one in scraped(base)["families"][REQUEST]["series"])
        await asyncio.sleep(2 / rate)
        call(f"{base}/api/v1/products")
        for _ in range(100):
            events = list(told.events(tmp_path / "logs", ["access"], clock.now() - timedelta(minutes=5)))
            gaps = sum(event.get("tfmshop.unlogged", 0) for event in events)
            if len(events) + gaps > counted + 1:
                break
            await asyncio.sleep(0.05)
    finally:
        kill_group(child)
    assert (len(events) + gaps, counted > 400) == (counted + 2, True)
    assert len(events) <= rate + rate * (time.monotonic() - began)
    told_in_table = tfmshop("logs", "access", "--limit", "1000", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path)).stdout
    assert sum(int(n) for n in re.findall(r"\S{20,} +(\d+) *$", told_in_table, re.MULTILINE)) == gaps


def test_events_of_a_level_and_worse_are_shown(tmp_path):
    file = tmp_path / "logs" / f"app-{clock.now().date()}.log"
    file.parent.mkdir()
    for level in ("info", "warning", "error"):
        line = {"@timestamp": clock.now().isoformat(), "message": f"of {level}", "log.level": level}
        file.write_text((file.read_text() if file.exists() else "") + json.dumps(line) + "\n")

    def shown(level: str):
        return tfmshop("logs", "app", "--level", level, "--json", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))

    for level, count in (("debug", 3), ("warn", 2), ("warning", 2), ("error", 1)):
        assert len(json.loads(shown(level).stdout)) == count
    refused = shown("loud")
    assert (refused.returncode, "--level must be" in refused.stderr) == (2, True)


def test_errors_are_followed_one_by_one(tmp_path):
    file = tmp_path / "logs" / f"error-{clock.now().date()}.log"
    file.parent.mkdir()

    def wrong(n: int) -> None:
        with file.open("a") as log:
            log.write(json.dumps({"@timestamp": clock.now().isoformat(), "message": "went wrong", "n": n}) + "\n")

    wrong(1)
    command = [str(BIN), "logs", "errors", "--follow", "--json"]
    settings = environment(TFMSHOP_HOME=str(tmp_path))
    watch = subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, start_new_session=True)
    late = threading.Timer(30, watch.kill)  # what never comes is an empty line, and no test that hangs
    late.start()
    try:
        assert json.loads(watch.stdout.readline())["n"] == 1
        wrong(2)
        assert json.loads(watch.stdout.readline())["n"] == 2
    finally:
        late.cancel()
        watch.terminate()
        watch.communicate()


def test_what_statements_cost_over_all_processes(shop):
    _, home, url = shop
    costs = json.loads(tfmshop("db", "queries", "--json", cwd=home, TFMSHOP_HOME=str(home)).stdout)
    assert {"platform.look", "jobs.figures"} <= {cost["name"] for cost in costs}
    told = tfmshop("db", "queries", "--server", "--only", "platform.look", "--json", cwd=home, TFMSHOP_HOME=str(home),
                   DATABASE_URL=url)  # fmt: skip
    (one,) = json.loads(told.stdout)
    assert one["server"]["calls"] >= one["cost"]["calls"] > 0


async def test_the_monitor(shop, tmp_path):
    base, home, _ = shop
    await some(base, 80, "/api/v1/products")
    quick = ["--url", base, "--seconds", "0.3"]
    checked = tfmshop("monitor", "check", *quick, "--json", cwd=home, TFMSHOP_HOME=str(home))
    told_ = json.loads(checked.stdout)
    assert {kpi["name"]: kpi["state"] for kpi in told_["kpis"]}["errors"] == "ok"
    assert checked.returncode == told_["code"]
    said = tfmshop("monitor", "check", *quick, cwd=home, TFMSHOP_HOME=str(home))
    verdicts = ("All is well; health ", "Not as it should be; health ", "Critical; health ")
    assert said.stdout.startswith(verdicts[said.returncode]), said.stdout
    assert "requests a second" in tfmshop("monitor", "metrics", *quick, cwd=home, TFMSHOP_HOME=str(home)).stdout
    line = tfmshop(
        "monitor", "start", "--url", base, "--every", "0.5", "--count", "1", cwd=home, TFMSHOP_HOME=str(home)
    )
    assert "req/s" in line.stdout
    away = tfmshop("monitor", "check", "--url", "http://127.0.0.1:1", cwd=home, TFMSHOP_HOME=str(home))
    assert (away.returncode, "No shop answers" in away.stderr) == (3, True)
    file = tmp_path / "report.html"
    assert tfmshop("dashboard", "report", *quick, "--output", str(file), cwd=home,
                   TFMSHOP_HOME=str(home)).returncode == 0  # fmt: skip
    text = file.read_text()
    assert "<polyline" in text or "Nothing was measured yet" in text
    assert "http://" not in text
    csv = tfmshop("dashboard", "export", *quick, "--format", "csv", cwd=home, TFMSHOP_HOME=str(home)).stdout
    assert csv.splitlines()[0].startswith("at,seconds,requests")


async def test_the_dashboard(shop, tmp_path, monkeypatch):
    base, *_ = shop
    monkeypatch.chdir(tmp_path)
    screen = Screen(Source(config.read({}, None), base, None), 60)
    async with screen.run_test(size=(80, 24)) as pilot:
        for _ in range(2):
            await screen.look()
            await some(base, 16, "/api/v1/products")
        await screen.look()
        await pilot.pause()
        head, table = screen.query_one("#head"), screen.query_one("#table")
        assert "OK" in str(head.render())
        assert "/api/v1/products" in {str(table.get_cell_at((row, 1))) for row in range(table.row_count)}
        for key, view in (("2", "Statements"), ("3", "Processes"), ("4", "Jobs"), ("5", "Alerts"), ("1", "Routes")):
            await pilot.press(key)
            assert view in str(screen.query_one("#title").render())
        await pilot.press("p")
        await pilot.press("s")
        assert "paused" in str(head.render())
    assert _saved(tmp_path)[-1]["requests"] > 0


def _saved(folder: Path):
    (saved,) = folder.glob("dashboard-*.json")
    return json.loads(saved.read_text())
