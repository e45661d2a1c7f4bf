"""Who is turned away in a crowd, before the application is called and after: both hear, and leave behind, the same."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from tests.client import Client, client_of
from tests.conftest import platform_of
from tests.surface.test_overload import flood
from tfmshop.commerce import checkout
from tfmshop.commerce.payments import Providers
from tfmshop.platform.cache import Cache, Memory
from tfmshop.platform.observe import access, logs
from tfmshop.platform.observe.access import AccessLog
from tfmshop.surface.http.app import build
from tfmshop.surface.http.context import Shop
from tfmshop.surface.http.edge import Rules, crowd
from tfmshop.surface.http.edge.measure import DURATION
from tfmshop.surface.http.edge.ready import LONGEST_WAIT

ORIGIN = "https://pages.example"
CART = "/api/v1/carts/mine"


@pytest.fixture
def crowded(settings, db):
    """A shop whose settings are changed, before a flood: its edge, and two clients. The first asks for a ready answer
    before it calls the application, the second does not.
    """

    @asynccontextmanager
    async def opened(**changes):
        config = settings.replace(**changes)

        @asynccontextmanager
        async def open_shop():
            platform = replace(platform_of(config, db), cache=Cache(Memory(1 << 20)))
            platform.cache.trust()  # nobody changes anything
            try:
                yield Shop(platform, Providers(), checkout.Till(db, platform.seals))
            finally:
                await platform.cache.close()
                await platform.redis.close()

        edge = build(open_shop, Rules.of(config))
        async with client_of(edge) as first:
            transport = httpx.ASGITransport(app=edge, client=("127.0.0.1", 1), raise_app_exceptions=False)
            async with Client(transport=transport, base_url="http://shop.test") as second:
                yield edge, first, second

    return opened


async def test_both_are_counted_and_logged(crowded, monkeypatch, capfd):
    async with (
        crowded(SUSPICION="block", TRUSTED_PROXIES="127.0.0.1") as (edge, first, second),
        flood(first) as admission,
    ):
        series = DURATION.of("GET", edge._tiers.of("GET", CART)[1], 503)
        for number, client in enumerate((first, second, first), 1):
            lines = AccessLog(shown=True)
            monkeypatch.setattr(logs._Access, "lines", lines)
            counted, turned_away, asked = series.count, admission.turned_away, edge.watch._asked.get("127.0.0.1", 0)
            answer = await client.get(CART, headers={"X-Request-Id": f"request-{number}", "X-Forwarded-Proto": "https"})
            assert answer.status_code == 503
            assert "strict-transport-security" in answer.headers
            await asyncio.sleep(2 * LONGEST_WAIT)
            lines.flush()
            assert series.count == counted + 1
            assert admission.turned_away == turned_away + 1
            assert edge.watch._asked["127.0.0.1"] == asked + 1
            (line,) = [json.loads(one) for one in capfd.readouterr().err.splitlines() if "event.duration" in one]
            said = {name: line[f"http.{name}"] for name in ("request.method", "response.status_code", "request.id")}
            assert said == {"request.method": "GET", "response.status_code": 503, "request.id": f"request-{number}"}
            assert line["url.path"] == CART
            assert 0 < line["event.duration"] < 1e9


async def test_a_shop_that_fails_to_close_has_told_of_each_request(crowded, monkeypatch, capfd):
    async with crowded() as (edge, first, _):
        monkeypatch.setattr(logs._Access, "lines", AccessLog(shown=True))
        monkeypatch.setattr(access, "LONGEST_WAIT", 60)
        close = edge._pages.close

        async def fails() -> None:
            await close()
            raise OSError

        monkeypatch.setattr(edge._pages, "close", fails)
        await first.get("/health/live", headers={"X-Request-Id": "the-last-one"})
    assert "the-last-one" in capfd.readouterr().err


async def test_what_is_no_get_is_told_with_its_method(crowded, monkeypatch, capfd):
    async with crowded() as (edge, first, _), flood(first):
        monkeypatch.setattr(logs._Access, "lines", AccessLog(shown=True))
        series = DURATION.of("POST", edge._tiers.of("POST", CART + "/lines")[1], 503)
        counted = series.count
        assert (await first.post(CART + "/lines", json={})).status_code == 503
        await asyncio.sleep(2 * LONGEST_WAIT)
        assert series.count == counted + 1
        logs.flush()
        (line,) = [json.loads(one) for one in capfd.readouterr().err.splitlines() if "event.duration" in one]
        assert (line["http.request.method"], line["http.response.status_code"]) == ("POST", 503)


async def test_beyond_the_room_for_lines_all_are_counted(crowded, monkeypatch, capfd):
    async with crowded() as (edge, first, second), flood(first):
        monkeypatch.setattr(logs._Access, "lines", AccessLog(shown=True, rate=1))
        series = DURATION.of("GET", edge._tiers.of("GET", CART)[1], 503)
        counted = series.count
        for client in (first, second, first, first):
            assert (await client.get(CART)).status_code == 503
        await asyncio.sleep(2 * LONGEST_WAIT)
        assert series.count == counted + 4
        logs.flush()
        assert sum("event.duration" in one for one in capfd.readouterr().err.splitlines()) == 1


async def test_slow_ones_are_told_and_others_are_not(crowded, monkeypatch):
    told = []
    monkeypatch.setattr(logs, "slow", lambda what, **facts: told.append((what, facts["path"], facts["status"])))
    async with crowded() as (_, first, second), flood(first):
        for limit, each in ((10.0, []), (1e-9, [("request", CART, 503)])):
            monkeypatch.setattr(logs._Slow, "request", limit)
            for client in (first, second):
                told.clear()
                await client.get(CART)
                await asyncio.sleep(2 * LONGEST_WAIT)
                assert told == each


@pytest.mark.parametrize(("headers", "told"), [
    ({}, {}),
    ({"Origin": ORIGIN}, {"access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true"}),
    ({"Origin": "https://evil.example"}, {}),
    ({"X-Forwarded-Proto": "https"}, {"strict-transport-security": "max-age=63072000; includeSubDomains; preload"}),
    ({"X-Request-Id": "given-id"}, {"x-request-id": "given-id"}),
    ({"X-Request-Id": "a.longer_id-" * 5}, {"x-request-id": "a.longer_id-" * 5}),
])  # fmt: skip
async def test_both_hear_the_same(crowded, headers, told):
    async with crowded(CORS_ORIGINS=ORIGIN, TRUSTED_PROXIES="127.0.0.1") as (_, first, second), flood(first):
        both = []
        for client in (first, second):
            answer = await client.get(CART, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert int(answer.headers["content-length"]) == len(answer.content)
            assert answer.headers["vary"] == "Origin"
            of_some = ("access-control-allow", "strict-transport-security")
            found = {name: value for name, value in answer.headers.items() if name.startswith(of_some)}
            assert found == {name: value for name, value in told.items() if name != "x-request-id"}
            assert told.items() <= dict(answer.headers).items()
            both.append((set(answer.headers) - {"date"}, answer.json() | {"request_id": ""}))
        assert both[0] == both[1]


async def test_a_page_that_is_in_memory_makes_no_work(crowded):
    async with crowded(ENABLE_CACHING="true") as (_, first, second):
        assert (await first.get("categories")).status_code == 200
        async with flood(first):
            for headers in ({}, {f"X-{n}": "more than are answered the short way" for n in range(45)}):
                for client in (first, second):
                    assert (await client.get("categories", headers=headers)).status_code == 200


@pytest.mark.parametrize(("target", "headers"), [
    (CART.encode(), [(b"content-length", b"5")]),
    (CART.encode(), [(b"transfer-encoding", b"chunked")]),
    (b"/api/v1/carts/m%69ne", []), (b"/api/v1/carts/mine#there", []), (b"/api/v1/c\xc3\xa4rts", []),
    (b"http://shop.test/api/v1/carts/mine", []), (b"/health/live", []),
])  # fmt: skip
async def test_what_is_not_plain_is_for_the_application(crowded, target, headers):
    async with crowded() as (edge, first, _), flood(first):
        written = []
        assert edge.at_once(CART.encode(), [(b"host", b"shop.test")], "127.0.0.1", written.append)
        assert written.pop().startswith(b"HTTP/1.1 503 ")
        assert not edge.at_once(target, [(b"host", b"shop.test"), *headers], "127.0.0.1", written.append)
        assert not written


async def test_only_some_paths_are_remembered_and_no_long_ones(crowded, monkeypatch):
    monkeypatch.setattr(crowd, "MOST_PATHS", 3)
    async with crowded() as (edge, first, _), flood(first):
        for n in range(10):
            assert (await first.get(f"products/{n}")).status_code == 503
            assert 0 < len(edge._crowd._known) <= 3
        before = dict(edge._crowd._known)
        assert (await first.get("products/" + "x" * crowd.LONGEST_PATH)).status_code == 503
        assert edge._crowd._known == before
