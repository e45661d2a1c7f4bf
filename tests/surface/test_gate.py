"""Who is let in at the edge, and how much of a request: proxies, hosts, origins, sizes and times."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.client import Client, client_of, has_headers
from tests.conftest import platform_of
from tests.processes import free_port, serving
from tests.surface.test_access import filled, routes
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, transfer
from tfmshop.commerce.payments import Providers
from tfmshop.surface.http.app import build
from tfmshop.surface.http.context import Shop
from tfmshop.surface.http.edge import Rules, body
from tfmshop.surface.http.edge.headers import API
from tfmshop.surface.http.edge.sender import household

ORIGIN = "https://pages.example"


@pytest.fixture
def gate(settings, db):
    """A client of a shop whose settings are changed, from an address."""

    @asynccontextmanager
    async def opened(address="127.0.0.1", **changes):
        config = settings.replace(**changes)

        @asynccontextmanager
        async def open_shop():
            platform = platform_of(config, db)
            yield Shop(platform, Providers(), checkout.Till(db, platform.seals))
            await platform.redis.close()

        app = build(open_shop, Rules.of(config))
        async with client_of(app):
            transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
            async with Client(transport=transport, base_url="http://shop.test") as client:
                yield client

    return opened


@pytest.mark.parametrize(("peer", "forwarded", "seen"), [
    ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
    ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
    ("10.0.0.1", "1.1.1.1, 203.0.113.1, 10.0.0.2", "203.0.113.1"),
    ("10.0.0.1", "203.0.113.1, nonsense", "10.0.0.1"),
    ("10.0.0.1", "nonsense, 203.0.113.1", "203.0.113.1"),
    ("10.0.0.1", "203.0.113.1:4711", "203.0.113.1"),
    ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
    ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("::ffff:10.0.0.1", "::ffff:203.0.113.1", "203.0.113.1"),
])  # fmt: skip
def test_the_right_most_address_that_is_no_proxy_of_ours_asks(settings, peer, forwarded, seen):
    rules = Rules.of(settings.replace(TRUSTED_PROXIES="10.0.0.0/8"))
    headers = [(b"x-forwarded-for", forwarded.encode()), (b"x-forwarded-proto", b"https")]
    assert rules.sender(peer, "http", headers) == (seen, "https" if "10." in peer else "http")


def test_headers_of_proxies_that_come_twice_are_one_list(settings):
    rules = Rules.of(settings.replace(TRUSTED_PROXIES="10.0.0.0/8"))
    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.1")]
    assert rules.sender("10.0.0.1", "http", headers)[0] == "203.0.113.1"
    assert Rules().sender("10.0.0.1", "http", headers)[0] == "10.0.0.1"


def test_a_household_is_an_address_or_a_net_of_version_6():
    assert household("203.0.113.1") == household("::ffff:203.0.113.1") == "203.0.113.1"
    assert household("2001:db8:1:2:3::4") == household("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert household("") == "unknown"


async def test_sessions_show_who_asked_and_not_the_proxy(gate):
    async with gate("10.0.0.1", TRUSTED_PROXIES="10.0.0.1") as shop:
        shop.headers["X-Forwarded-For"] = "1.2.3.4, 203.0.113.9"
        me = await shop.sign_in("ada@example.com")
        assert [one["address"] for one in (await shop.get("me/sessions", headers=me)).json()["items"]] == [
            "203.0.113.9"
        ]


async def test_https_is_for_good_where_it_is_spoken(gate):
    async with gate("10.0.0.1", TRUSTED_PROXIES="10.0.0.1") as shop:
        told = await shop.get("/health/live", headers={"X-Forwarded-Proto": "https"})
        assert told.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains; preload"
        assert "strict-transport-security" not in (await shop.get("/health/live")).headers
    async with gate("10.0.0.2", TRUSTED_PROXIES="10.0.0.1") as shop:
        told = await shop.get("/health/live", headers={"X-Forwarded-Proto": "https"})
        assert "strict-transport-security" not in told.headers


@pytest.mark.parametrize(("host", "status"), [
    ("shop.example", 200), ("SHOP.example:8443", 200), ("a.b.pages.example", 200), ("pages.example", 421),
    ("evil.example", 421), ("shop.example.evil.example", 421), ("", 421), ("[::1]:8000", 200), ("[::2]", 421),
])  # fmt: skip
async def test_only_listed_hosts_are_served(gate, host, status):
    async with gate(ALLOWED_HOSTS="shop.example, .pages.example, [::1]") as shop:
        answer = await shop.get("categories", headers={"Host": host})
        assert answer.status_code == status
        assert (await shop.get("/health/live", headers={"Host": host})).status_code == 200
        if status == 421:
            assert answer.json()["code"] == "host_not_allowed"


async def test_pages_of_listed_origins_may_ask_and_others_learn_nothing(gate):
    async with gate(CORS_ORIGINS=ORIGIN) as shop:
        asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        before = await shop.options("me/password", headers={"Origin": ORIGIN} | asked)
        assert (before.status_code, before.content) == (204, b"")
        assert before.headers["access-control-allow-origin"] == ORIGIN
        assert before.headers["access-control-max-age"] == "7200"
        assert "PUT" in before.headers["access-control-allow-methods"]
        answer = await shop.get("categories", headers={"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers.get_list("vary")
        refused = await shop.get("me", headers={"Origin": ORIGIN})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
        for origin in ("https://evil.example", "null", "https://pages.example.evil.example", "http://pages.example"):
            for answer in (await shop.get("categories", headers={"Origin": origin}),
                           await shop.options("me", headers={"Origin": origin} | asked)):  # fmt: skip
                assert "Origin" in answer.headers.get_list("vary")
                assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_without_listed_origins_nobody_is_told_anything(shop):
    answer = await shop.get("categories", headers={"Origin": ORIGIN})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers.get_list("vary") == ["accept-encoding"]


async def test_sizes_are_bounded_before_anything_is_looked_at(shop):
    cases = [
        (await shop.get("search?q=" + "x" * 9000), 414, "address_too_long"),
        (await shop.get("categories", headers={f"X-{n}": "x" for n in range(120)}), 431, "headers_too_large"),
        (await shop.get("categories", headers={"X-Big": "x" * 20_000}), 431, "headers_too_large"),
        (await shop.get("categories", headers={f"{n}{'x' * 700}": "x" for n in range(30)}), 431, "headers_too_large"),
        (await shop.post("carts", content=b"x" * ((1 << 20) + 1)), 413, "body_too_large"),
        (await shop.post("auth/login", content=b"[" * 100_000), 400, "malformed_request"),
        (await shop.post("auth/login", content=b"[" * 33 + b'"' + b'\\"' * 500_000), 400, "malformed_request"),
        (await shop.post("auth/login", content=b'{"a":' * 33 + b"1" + b"}" * 33), 400, "malformed_request"),
        (await shop.post("auth/login", content=b"x", headers={"Content-Encoding": "gzip"}), 415,
         "unsupported_media_type"),
    ]  # fmt: skip
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert all(answer.headers[name.decode()] == value.decode() for name, value in API)


async def test_brackets_in_texts_are_not_depth(shop):
    person = {"email": "ada@example.com", "password": "long and odd " + "[{" * 30, "name": '\\"' + "[" * 50}
    assert (await shop.post("auth/register", json=person)).status_code == 201


async def test_a_body_that_does_not_come_is_not_waited_for(shop, monkeypatch):
    monkeypatch.setattr(body, "SECONDS", 0.05)

    async def slowly():
        yield b"{"
        await asyncio.sleep(0.5)
        yield b"}"

    answer = await shop.post("auth/login", content=slowly(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")


async def test_a_request_has_a_deadline(gate, monkeypatch):
    from tfmshop.commerce import search

    async def forever(*_):
        await asyncio.sleep(30)

    monkeypatch.setattr(search, "find", forever)
    async with gate(PAYMENT_TIMEOUT=500, REQUEST_TIMEOUT=1500) as shop:
        answer = await shop.get("products")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "took_too_long", "1")
        assert (await shop.get("categories")).status_code == 200


@pytest.mark.parametrize(("still", "came"), [(0.4, b"abcd"), (3.0, b"ab")])
async def test_a_stream_may_take_longer_than_an_answer_but_not_stand_still(gate, monkeypatch, still, came):
    async def pieces(*_):
        for piece, pause in ((b"a", 0.4), (b"b", 0.4), (b"c", still), (b"d", 0.4)):
            await asyncio.sleep(pause)
            yield 1, piece

    monkeypatch.setattr(transfer, "export", pieces)
    async with gate(REQUEST_TIMEOUT=1000, PAYMENT_TIMEOUT=500) as shop:
        answer = await shop.get("admin/exports/products", headers=staff())
        assert answer.content == came


async def test_the_headers_of_every_route(shop):
    """As a stranger, with nonsense, with a wrong method: whatever the answer, it has the headers."""
    ways = sorted({(method, path) for method, path, _ in routes()})
    assert len(ways) > 100
    for method, path in ways:
        for answer in (
            await shop.request(method, filled(path)),
            await shop.request(method, filled(path), content=b"nonsense", headers={"Content-Type": "application/json"}),
            await shop.request(method, filled(path), headers={"Authorization": "Bearer nonsense"}),
            await shop.request("TRACE", filled(path)),
        ):
            assert answer.status_code < 500, (method, path, answer.text)


def test_an_answer_without_a_header_is_noticed_wherever_it_is_asked_for():
    """Every test that asks by `Client` looks at every answer, errors, files, redirects and pages among them."""
    headers = [*API, (b"cache-control", b"no-store"), (b"x-request-id", b"x")]
    request = httpx.Request("GET", "http://shop.test/x")
    has_headers(httpx.Response(404, headers=headers, request=request))
    for name, value in headers:
        others = [pair for pair in headers if pair[0] != name]
        for wrong in (others, [*headers, (name, value)], [*others, (name, b"")]):
            if sorted(wrong) != sorted(headers):
                with pytest.raises(AssertionError):
                    has_headers(httpx.Response(404, headers=wrong, request=request))


SMUGGLED = {
    b"Content-Length: 3\r\nContent-Length: 5": b"400", b"Content-Length: 3, 5": b"400", b"Content-Length: +3": b"400",
    b"Transfer-Encoding: xchunked": b"400", b"Transfer-Encoding : chunked": b"400",
    b"Transfer-Encoding: chunked, identity": b"400", b"Transfer-Encoding:\x0bchunked": b"400",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked": b"400", b"Transfer-Encoding: gzip, chunked": b"400",
}  # fmt: skip
"""Lengths that two servers could read in two ways, and what comes of each."""


def test_the_server_itself(tmp_path, fresh_url):
    """Over a real socket: what the web server answers before the shop is asked, and whom it cuts."""
    port = free_port()
    with serving(fresh_url, tmp_path, port):

        def told(sent: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
                line.sendall(sent)
                parts = b""
                while part := line.recv(65536):
                    parts += part
                return parts

        for nonsense in (b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 80_000):
            answer = told(nonsense)
            assert answer.split(b"\r\n")[0].split()[1] in (b"400", b"431", b"505")
            assert b"server:" not in answer.lower()
            assert b"content-length: 0" in answer.lower()
        hidden = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        for lengths, status in SMUGGLED.items():
            answer = told(b"POST /api/v1/carts HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n\r\n" + hidden)
            assert answer.split(b"\r\n")[0].split()[1] == status, (lengths, answer)
            assert answer.count(b"HTTP/1.1 ") == 1, "what is hidden in the body is not asked"
        long = told(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
        assert b" 431 " in long.split(b"\r\n")[0]
        assert b"content-security-policy" in long
        gone = told(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert gone == b"" or b" 408 " in gone
        found = subprocess.run(["curl", "-sS", "--http1.1", "-D-", "-o/dev/null", f"http://127.0.0.1:{port}/health"],
                               capture_output=True, text=True, check=True).stdout.lower()  # fmt: skip
        assert "server:" not in found
        assert "x-powered-by" not in found
