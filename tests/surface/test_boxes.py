"""Each box of the checklist with what it is about broken: it fails, says so, and how it is mended; no other does."""

from __future__ import annotations

import resource
import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncpg
import pytest

from tests.conftest import platform_of
from tests.processes import free_port
from tfmshop import __version__
from tfmshop.platform import clock, codec, done
from tfmshop.platform.observe.readings import Family, Reading, Series
from tfmshop.surface import readiness
from tfmshop.surface.readiness.box import BOXES, Place, tick

REQUEST = "http_server_request_duration_seconds"
SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'", "referrer-policy": "no"}


def health(**more) -> tuple:
    """What `/health` answers where all is well, but for some of it."""
    return 200, SAFE, {"status": "ok", "version": __version__, "cache": {"entries": 9}} | more


class _Shop(BaseHTTPRequestHandler):
    """A shop that answers what a test says: by path a status, headers and a body."""

    said: dict

    def do_GET(self):
        status, headers, body = self.said.get(self.path.partition("?")[0], (200, SAFE, {}))
        if self.path == "/metrics" and self.headers["x-forwarded-for"]:
            status = self.said.get("stranger", 404)
        content = codec.encode(body)
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def answers():
    """What the shop that is asked answers; all is well at first."""
    said = {
        "/health": health(),
        "/api/v1/admin/orders": (401, SAFE, {}),
        "/metrics": (200, SAFE, reading(200)),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Shop", (_Shop,), {"said": said}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()
    server.server_close()


def reading(*statuses: int) -> Reading:
    """A hundred requests of each status, a job runner, and hits of the cache."""
    now = clock.now()
    series = [Series({"http_response_status_code": str(one), "http_route": "/x", "http_request_method": "GET"}, 0.1,
                     [100, *[0] * 14]) for one in statuses]  # fmt: skip
    started = Series({"process": "web-1"}, now.timestamp() - 60)
    return Reading(now, {
        REQUEST: Family(REQUEST, "histogram", "", series),
        "process_start_time_seconds": Family("process_start_time_seconds", "gauge", "", [started]),
        "tfmshop_job_runners": Family("tfmshop_job_runners", "gauge", "", [Series({}, 1)]),
        "tfmshop_cache_lookups_total": Family("tfmshop_cache_lookups_total", "counter", "", [
            Series({"outcome": "hit"}, 100)]),
    })  # fmt: skip


ABOUT_THE_SHOP = ("health", "security of answers", "key figures", "warm cache", "job runner")


async def results(settings, db, names, url: str = "") -> dict:
    place = Place(settings, platform_of(settings, db), [], url)
    found = await tick([one for one in BOXES if one.name in names], place, lambda *_: None)
    return {one.name: one.result for one in found}


@pytest.mark.parametrize(("box", "broken", "said"), [
    ("health", {"/health": health(status="down")}, "it is down"),
    ("health", {"/api/v1/products": (500, SAFE, {})}, "a page answers 500"),
    ("health", {"/health": health(version="0.0.1")}, "release 0.0.1"),
    ("security of answers", {"/api/v1/products": (200, {}, {})}, "answers lack x-content-type-options"),
    ("security of answers", {"/api/v1/admin/orders": (200, SAFE, {})}, "answers a stranger with 200"),
    ("security of answers", {"stranger": 200}, "/metrics is open to strangers"),
    ("key figures", {"/metrics": (200, SAFE, reading(200, 500))}, "errors 50.0 %"),
    ("warm cache", {"/health": health(cache={"entries": 0})}, "empty"),
    ("job runner", {"/metrics": (200, SAFE, Reading(clock.now(), reading(200).families | {
        "tfmshop_job_runners": Family("tfmshop_job_runners", "gauge", "", [Series({}, 0)])}))}, "none works here"),
])  # fmt: skip
async def test_a_shop_that_is_not_fit_fails_its_box_and_no_other(settings, db, answers, box, broken, said):
    whole = await results(settings, db, ABOUT_THE_SHOP, answers["url"])
    assert "fail" not in {one.state for one in whole.values()}, whole
    answers.update(broken)
    found = await results(settings, db, ABOUT_THE_SHOP, answers["url"])
    assert [name for name, one in found.items() if one.state == "fail"] == [box]
    assert said in found[box].found
    assert found[box].mend


async def test_where_no_shop_answers_one_box_fails_and_others_cannot_be_tried(settings, db):
    found = await results(settings, db, ABOUT_THE_SHOP, f"http://127.0.0.1:{free_port()}")
    assert {name: one.state for name, one in found.items()} == dict.fromkeys(ABOUT_THE_SHOP, "skip") | {
        "health": "fail"
    }
    assert found["health"].mend == "Start `tfmshop serve`."


async def test_an_old_schema_fails(settings, wide_db, fresh_url):
    settings = settings.replace(DATABASE_URL=fresh_url)
    assert (await results(settings, wide_db, ["migrations"]))["migrations"].state == "pass"
    connection = await asyncpg.connect(fresh_url)
    await connection.execute("UPDATE alembic_version SET version_num = '0001'")
    await connection.close()
    found = (await results(settings, wide_db, ["migrations"]))["migrations"]
    assert (found.state, found.mend) == ("fail", "Run `tfmshop deploy migrate`.")


async def test_a_server_that_forgets_and_one_that_is_too_small_fail(settings, db):
    """The server of the tests has fsync off."""
    found = (await results(settings, db, ["database server"]))["database server"]
    assert found.state == "fail"
    assert "fsync is off, so a crash loses orders" in found.found
    assert "Set fsync=on in postgresql.conf." in found.mend
    assert "max_connections" not in found.found
    crowd = settings.replace(WORKERS=200, DB_POOL_MAX=50)
    found = (await results(crowd, db, ["database server"]))["database server"]
    assert "this shop may want 20030" in found.found
    with clock.held(clock.now() + timedelta(minutes=5)):
        found = (await results(settings, db, ["database server"]))["database server"]
    assert "its clock and ours differ by 300 s" in found.found


async def test_a_transaction_that_stays_open_is_warned_of(settings, db, monkeypatch, fresh_url):
    monkeypatch.setattr(readiness.database, "LONG_SECONDS", -1.0)
    found = (await results(settings, db, ["replication and transactions"]))["replication and transactions"]
    assert (found.state, found.mend) == ("warn", "See `tfmshop db activity`.")


async def test_days_that_are_not_put_away_fail(settings, db, tmp_path):
    settings = settings.replace(TFMSHOP_HOME=str(tmp_path))
    (settings.home / "logs").mkdir(exist_ok=True)
    assert (await results(settings, db, ["log rotation"]))["log rotation"].state == "pass"
    (settings.home / "logs" / "app-2026-01-01.log").write_text("{}\n")
    found = (await results(settings, db, ["log rotation"]))["log rotation"]
    assert found.state == "fail"
    assert "app-2026-01-01.log" in found.found
    assert found.mend


async def test_little_room_fails(settings, db, monkeypatch):
    names = ["disk and open files"]
    assert (await results(settings.replace(ALERT_DISK_FREE=1), db, names))[names[0]].state == "pass"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    found = (await results(settings, db, names))[names[0]]
    assert (found.state, "may open 64 files" in found.found, "ulimit" in found.mend) == ("fail", True, True)


async def test_redis_that_is_away_and_a_folder_in_the_way_fail_with_their_mend(settings, db, tmp_path):
    broken = settings.replace(REDIS_URL=f"redis://127.0.0.1:{free_port()}", TFMSHOP_HOME=str(tmp_path / "home"))
    broken.home.mkdir()
    (broken.home / "logs").write_text("in the way")
    found = await results(broken, db, ["cache service", "log folder"])
    assert {one.state for one in found.values()} == {"fail"}
    assert "Start Redis" in found["cache service"].mend
    assert "TFMSHOP_HOME" in found["log folder"].mend


async def test_a_port_that_somebody_else_has_fails(settings, db):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = settings.replace(HOST="127.0.0.1", PORT=stranger.getsockname()[1])
        found = (await results(taken, db, ["port"]))["port"]
        assert found.state == "fail"
        assert f"PORT={taken.number('PORT') + 1}" in found.mend
    assert (await results(taken, db, ["port"]))["port"].found == f"{taken.number('PORT')} is free"


async def test_an_extension_that_is_missing_fails(settings, wide_db, fresh_url):
    assert (await results(settings, wide_db, ["extensions"]))["extensions"].state == "pass"
    connection = await asyncpg.connect(fresh_url)
    await connection.execute("DROP EXTENSION fuzzystrmatch CASCADE")
    await connection.close()
    found = (await results(settings, wide_db, ["extensions"]))["extensions"]
    assert (found.state, found.found) == ("fail", "missing: fuzzystrmatch")
    assert found.mend.startswith("CREATE EXTENSION")


async def test_backups_that_are_late_fail_and_those_that_were_never_made_warn(settings, db):
    async def found(**more):
        return (await results(settings.replace(**more), db, ["age of backups"]))["age of backups"]

    assert (await found()).state == "pass"
    never = await found(BACKUP_AT="30 3 * * *", DRILL_AT="30 5 * * 0")
    assert (never.state, never.found) == ("warn", "no backup was made yet; no drill was made yet")
    async with db.tx() as tx:
        await done.note(tx, done.BACKUP, clock.now() - timedelta(hours=27))
        await done.note(tx, done.DRILL, clock.now() - timedelta(days=7))
    late = await found()
    assert late.state == "fail"
    assert late.found.startswith("the last backup was ")
    assert "drill" not in late.found
    assert "tfmshop db backup" in late.mend
    assert (await found(ALERT_BACKUP_HOURS=28)).state == "pass"
