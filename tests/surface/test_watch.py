"""Who looks for holes is noticed, slowed and kept out; who is honest is not."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.client import Client, client_of
from tests.conftest import platform_of
from tests.processes import tfmshop
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout
from tfmshop.commerce.payments import Providers
from tfmshop.platform import clock, limits
from tfmshop.platform.observe import security
from tfmshop.platform.observe.files import LogFiles
from tfmshop.surface.http.app import build
from tfmshop.surface.http.context import Shop
from tfmshop.surface.http.edge import Rules, signs, watch

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
async def world(settings, wide_db, monkeypatch):
    """A shop that watches, and clients of it from any address; what it told."""
    told = []
    monkeypatch.setattr(security, "tell", lambda event, **facts: told.append({"event": event, **facts}))
    monkeypatch.setattr(watch, "LONGEST_DELAY", 0.05)

    @asynccontextmanager
    async def open_shop():
        platform = platform_of(settings, wide_db)
        yield Shop(platform, Providers(), checkout.Till(wide_db, platform.seals))
        await platform.redis.close()

    app = build(open_shop, Rules(suspicion="block"))
    async with client_of(app):

        def at(address: str) -> Client:
            transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
            return Client(transport=transport, base_url="http://shop.test")

        at.watch, at.told = app.watch, told
        yield at


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_page_elsewhere_gets_nobody_blocked_who_looks_at_it(world, wide_db, method):
    visitor = world("198.51.100.77")
    hidden = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for n in range(40):
        answer = await visitor.request(method, f"/{n}.php?q=../../etc/passwd", headers=hidden)
        assert answer.status_code in (404, 405)
    other = watch.Watch("block")
    await other.works_with(wide_db)
    other.note("198.51.100.77", [signs.ELSEWHERE] * 80, address="198.51.100.77", path="/")
    await other.settle()
    await world.watch.settle()
    known = world.watch._known["198.51.100.77"]
    assert known.score > watch.BLOCKED_AT, "two processes, and none of it blocks"
    body = {"email": "ada@example.com", "password": "guessed it"}
    guess = await visitor.post("auth/login", json=body, headers=hidden)
    assert (guess.status_code, guess.json()["code"]) == (403, "csrf_failed")
    await other.works_with(None)
    assert (await visitor.get("categories")).status_code == 200
    assert not [one for one in world.told if one["event"] == "address blocked"]


async def test_a_scanner_is_kept_out_and_told_why_and_others_are_not(world):
    bad, good = world("198.51.100.66"), world("192.0.2.1")
    for path in ("/.env", "/wp-login.php", "/.git/config"):
        assert (await bad.get(path)).status_code == 404
    assert (
        await bad.get("/api/v1/media/..%2f..%2fetc%2fpasswd", headers={"User-Agent": "sqlmap/1.8"})
    ).status_code == 404
    await world.watch.settle()
    answer = await bad.get("categories")
    assert (answer.status_code, answer.json()["code"]) == (429, "blocked")
    assert 890 < int(answer.headers["retry-after"]) <= 900
    assert answer.json()["retry_after"] == int(answer.headers["retry-after"])
    assert (await good.get("categories")).status_code == 200
    assert (await bad.get("/health")).status_code == 200
    suspicious = [one for one in world.told if one["event"] == "suspicious"]
    assert suspicious[0]["signs"] == {"probe": 20}
    assert suspicious[-1]["score"] >= 100
    (blocked,) = [one for one in world.told if one["event"] == "address blocked"]
    assert blocked["key"] == "all:198.51.100.66"
    assert "probe 60" in blocked["why"]
    listed = (await good.get("admin/security/blocks", headers=staff())).json()["items"]
    assert [one["key"] for one in listed] == ["all:198.51.100.66"]
    assert (await good.delete("admin/security/blocks?key=all:198.51.100.66", headers=staff())).status_code == 204
    assert (await good.delete("admin/security/blocks?key=all:198.51.100.66", headers=staff())).status_code == 404
    await world.watch.settle()
    assert (await bad.get("categories")).status_code == 200


async def test_whoever_is_signed_in_or_signs_in_behind_a_blocked_address_gets_through(world):
    office = world("198.51.100.66")
    me = await office.sign_in("ada@example.com")
    world.watch.note("198.51.100.66", [signs.SCANNER] * 3, address="198.51.100.66", path="/")
    await world.watch.settle()
    assert (await office.get("categories")).status_code == 429
    assert (await office.get("me", headers=me)).status_code == 200
    assert (await office.get("me", headers={"Authorization": "Bearer x"})).status_code == 429
    cookie = {"Cookie": f"a=b; __Host-access={me['Authorization'].partition(' ')[2]}"}
    assert (await office.get("me", headers=cookie)).status_code == 200
    body = {"email": "ada@example.com", "password": "correct horse"}
    assert (await office.post("auth/login", json=body)).status_code == 200


async def test_processes_share_scores_and_blocks(world, wide_db):
    other = watch.Watch("block")
    await other.works_with(wide_db)
    for one in (other, world.watch):
        one.note("203.0.113.5", [signs.SCANNER, signs.PROBE], address="203.0.113.5", path="/")
        await one.settle()
    await other.settle()
    assert other.blocked_until("203.0.113.5") is not None


async def test_points_halve_and_blocks_end(world):
    who = "203.0.113.5"
    with clock.held(NOON):
        world.watch.note(who, [signs.SCANNER] * 2, address=who, path="/")
        await world.watch.settle()
    with clock.held(NOON + timedelta(minutes=10)):
        world.watch.note(who, [signs.SCANNER] * 1, address=who, path="/")
        await world.watch.settle()
        assert world.watch._known[who].score == pytest.approx(60, abs=0.1)
        assert world.watch.blocked_until(who) is None
        world.watch.note(who, [signs.SCANNER], address=who, path="/")
        await world.watch.settle()
        assert world.watch.blocked_until(who) == NOON + timedelta(minutes=25)
    with clock.held(NOON + timedelta(minutes=26)):
        assert world.watch.blocked_until(who) is None


async def test_whoever_is_suspicious_waits_and_a_crowd_of_them_does_not(world, monkeypatch):
    who = "203.0.113.5"
    world.watch.note(who, [signs.SCANNER] * 2, address=who, path="/")
    started = asyncio.get_running_loop().time()
    assert (await world(who).get("categories")).status_code == 200
    assert asyncio.get_running_loop().time() - started >= 0.03
    monkeypatch.setattr(watch, "MOST_DELAYED", 0)
    assert (await world(who).get("categories")).json()["code"] == "blocked"


async def test_impossible_rates_count(world):
    for _ in range(watch.RATE + 5):
        world.watch.comes("203.0.113.9", clock.monotonic())
        world.watch.comes("127.0.0.1", clock.monotonic())
    assert world.watch._known["203.0.113.9"].why["impossible rate"] == 20
    assert "127.0.0.1" not in world.watch._known


async def test_the_machine_itself_waits_and_is_never_kept_out(world):
    world.watch.note("127.0.0.1", [signs.SCANNER] * 4, address="127.0.0.1", path="/")
    await world.watch.settle()
    started = asyncio.get_running_loop().time()
    assert (await world("127.0.0.1").get("categories")).status_code == 200
    assert asyncio.get_running_loop().time() - started >= 0.4


async def test_scores_fade_in_the_process_too_and_nobody_is_kept_for_ever(world, monkeypatch):
    moment = [1000.0]
    monkeypatch.setattr(watch, "monotonic", lambda: moment[0])
    monkeypatch.setattr(watch, "MOST_KNOWN", 50)
    await world.watch.works_with(None)
    world.watch.note("203.0.113.5", [signs.SCANNER] * 2, address="", path="/")
    for n in range(100):
        world.watch.note(f"198.51.100.{n}", [signs.LOST], address="", path="/")
    assert len(world.watch._known) == 50
    world.watch.note("203.0.113.5", [signs.SCANNER] * 2, address="", path="/")
    moment[0] += 600
    assert world.watch._known["203.0.113.5"].now() == pytest.approx(20, abs=0.1)
    moment[0] += 3600
    for known in world.watch._known.values():
        known.points = 0
    await world.watch.settle()
    assert world.watch._known == {}


async def test_weak_signs_slow_and_never_block(world):
    for _ in range(300):
        world.watch.note("203.0.113.5", [signs.LOST, signs.REFUSED, signs.GUESS], address="", path="/")
    await world.watch.settle()
    assert world.watch._known["203.0.113.5"].score < watch.SLOWED_AT
    assert world.watch.blocked_until("203.0.113.5") is None
    assert world.told == []


async def test_only_logging_blocks_nobody(wide_db):
    async with wide_db.tx() as tx:
        await limits.block(tx, "all:203.0.113.5", "by another process", clock.now())
    quiet = watch.Watch("log")
    await quiet.works_with(wide_db)
    quiet.note("203.0.113.5", [signs.SCANNER] * 4, address="", path="/")
    await quiet.settle()
    assert quiet.blocked_until("203.0.113.5") is None
    assert await quiet.delay("203.0.113.5")


async def test_a_lifted_block_does_not_come_back_at_the_next_request(world, wide_db):
    who = "203.0.113.5"
    world.watch.note(who, [signs.SCANNER] * 3, address=who, path="/")
    await world.watch.settle()
    async with wide_db.tx() as tx:
        assert await limits.lift(tx, f"all:{who}")
    await world.watch.settle()
    world.watch.note(who, [signs.LOST], address=who, path="/")
    await world.watch.settle()
    assert world.watch.blocked_until(who) is None


@pytest.mark.parametrize("text", ["{{" * 10_000, "'" * 20_000, "or " * 6_000, "union " * 3_000, "; " * 10_000,
                                  "on" * 10_000, "' " * 10_000, "1" * 20_000])  # fmt: skip
def test_no_text_makes_the_signs_slow(text):
    started = time.perf_counter()
    signs.of_answer(400, b"/" + text.encode(), text.encode(), text.encode(), forged=False)
    signs.of_request(text.encode(), text.encode())
    assert time.perf_counter() - started < 0.5, "minutes, were it not linear"


HONEST = ["drop table students", "1 or 1=1 explained", "<script> tags for beginners", "O'Reilly' OR 'Prentice'",
          "select * from wines union select cheeses", "how to sleep(8 hours)", "../ means the folder above",
          "'; drop the beat; --", "{{ mustache }} templates", "information_schema poster",
          "5' or 6' pipe", "sleep mask"]  # fmt: skip


@pytest.mark.parametrize("words", HONEST)
async def test_honest_text_is_never_suspicious(world, words):
    ada = world("192.0.2.7")
    me = await ada.sign_in("ada@example.com")
    assert (await ada.get("search", params={"q": words})).status_code == 200
    address = {"name": words, "line1": words, "city": words, "country": "US"}
    assert (await ada.post("me/addresses", json={"address": address}, headers=me)).status_code == 201
    assert (await ada.patch("me", json={"name": words}, headers=me)).status_code == 200
    assert [one for one in world.told if one["event"] == "suspicious"] == []


async def test_what_is_refused_and_looks_like_an_injection_counts(world):
    eve = world("198.51.100.66")
    await eve.get("products?limit=1' or '1'='1")
    await world.watch.settle()
    await eve.get("products?sort=price;drop table x")
    await world.watch.settle()
    await eve.post("auth/register", json={"email": "x' union select 1", "password": "<script>alert(1)</script>"})
    found = [one["signs"] for one in world.told if one["event"] == "suspicious"]
    assert found == [{"refused": 1, "injection": 10}] * 3


async def test_without_a_database_a_process_scores_by_itself(world, monkeypatch):
    class Gone:
        def tx(self):
            from tfmshop.platform.errors import DatabaseUnavailable

            raise DatabaseUnavailable

    await world.watch.works_with(Gone())
    world.watch.note("203.0.113.5", [signs.PROBE], address="203.0.113.5", path="/")
    await world.watch.settle()
    assert world.watch._known["203.0.113.5"].now() == pytest.approx(20, abs=0.1)


def test_events_are_kept_and_read_by_command(tmp_path, monkeypatch):
    kept = LogFiles()
    kept.keep_in(tmp_path / "logs", ["security"])
    monkeypatch.setattr(security, "FILES", kept)
    security.tell("wrong password", address="192.0.2.1", key="account:x", password="canary-7", note="a\nb\x1b[31m")
    with clock.held(datetime.now(UTC) - timedelta(days=2)):
        security.tell("address blocked", key="all:192.0.2.9")
    token = security.asking.set("192.0.2.7")
    security.tell("sign-in refused", usual=True, key="person:x")
    security.asking.reset(token)
    (tmp_path / "logs" / "security-1999-01-01.log").write_text('{"cut off')
    shown = tfmshop("logs", "security", "--json", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    event, other = json.loads(shown.stdout)
    assert (other["message"], other["client.address"]) == ("sign-in refused", "192.0.2.7")
    assert (event["message"], event["client.address"], event["password"]) == ("wrong password", "192.0.2.1", "(hidden)")
    text = tfmshop("logs", "security", "--since", "7d", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    assert "address blocked" in text.stdout
    assert "canary-7" not in text.stdout
    assert "\x1b" not in text.stdout
    assert "Nothing like that in" in tfmshop("logs", "security", "--address", "x", cwd=tmp_path,
                                           TFMSHOP_HOME=str(tmp_path)).stdout  # fmt: skip
    wrong = tfmshop("logs", "security", "--since", "soon", cwd=tmp_path, TFMSHOP_HOME=str(tmp_path))
    assert (wrong.returncode, "such as 90s" in wrong.stderr) == (2, True)
    assert oct((tmp_path / "logs").stat().st_mode & 0o777) == "0o750"


def test_blocks_by_command(tmp_path, fresh_url):
    settings = {"DATABASE_URL": fresh_url, "TFMSHOP_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}
    (tmp_path / "seal.secret").write_text("a secret of the tests, long enough")
    assert "Nobody is kept out." in tfmshop("security", "blocks", cwd=tmp_path, **settings).stdout
    asyncio.run(_block(fresh_url))
    (block,) = json.loads(tfmshop("security", "blocks", "--json", cwd=tmp_path, **settings).stdout)
    assert (block["key"], block["why"]) == ("sign-in:192.0.2.1", "a test")
    assert "192.0.2.1" in tfmshop("security", "blocks", cwd=tmp_path, **settings).stdout
    assert "let in again" in tfmshop("security", "lift", "sign-in:192.0.2.1", cwd=tmp_path, **settings).stdout
    again = tfmshop("security", "lift", "sign-in:192.0.2.1", cwd=tmp_path, **settings)
    assert (again.returncode, "is not kept out" in again.stderr) == (1, True)


async def _block(url: str) -> None:
    from tfmshop.platform import limits
    from tfmshop.platform.db import Options, connect

    db = await connect(url, Options())
    async with db.tx() as tx:
        await limits.block(tx, "sign-in:192.0.2.1", "a test", clock.now())
    await db.close()
