"""Rate limits over HTTP: each route has its tier, clients are told what is left, and nobody counts for another."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from random import random

import httpx
import pytest
from litestar.exceptions import HTTPException
from litestar.utils.path import normalize_path

from tests.client import Client, client_of
from tests.conftest import platform_of
from tests.making import a_product
from tests.surface.test_pages import serving
from tfmshop.commerce import checkout
from tfmshop.commerce.payments import FakeProvider, Providers
from tfmshop.platform import ids
from tfmshop.platform.limits import Rates
from tfmshop.platform.observe import security
from tfmshop.platform.security.access import AccessTokens, Viewer
from tfmshop.surface.http.app import build, limits, routes
from tfmshop.surface.http.context import Shop
from tfmshop.surface.http.edge import Rules
from tfmshop.surface.http.tiers import SETTING, limited

ALLOWED = {"RATE_LIMIT_API": 12, "RATE_LIMIT_SEARCH": 9, "RATE_LIMIT_ACCOUNTS": 6, "RATE_LIMIT_GENERAL": 10}


@pytest.fixture
async def limited_shop(db, settings):
    """A shop with small allowances behind a proxy, which says who asks."""
    platform = platform_of(settings.replace(TRUSTED_PROXIES="127.0.0.1", **ALLOWED), db)
    platform = replace(platform, rates=Rates(platform.redis, 60 + random()))

    @asynccontextmanager
    async def open_shop():
        yield Shop(platform, Providers(fake=FakeProvider()), checkout.Till(db, platform.seals))
        await platform.rates.close()
        await platform.redis.close()
        platform.passwords.close()

    async with client_of(build(open_shop, Rules.of(platform.config))) as client:
        yield client


async def asked(client: Client, path: str, times: int, address: str = "192.0.2.1", **more: str) -> list[httpx.Response]:
    headers = {"X-Forwarded-For": address} | {name.replace("_", "-"): value for name, value in more.items()}
    return [await client.get(path, headers=headers) for _ in range(times)]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


async def test_a_client_gets_its_allowance_and_is_told_what_is_left(limited_shop: Client) -> None:
    answers = await asked(limited_shop, "carts/mine", 14)
    assert statuses(answers) == [401] * 12 + [429] * 2
    assert answers[0].headers["ratelimit-policy"] == '"api";q=12;w=60'
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers[:3]] == [
        '"api";r=11', '"api";r=10', '"api";r=9',
    ]  # fmt: skip
    last = answers[-1]
    assert last.json()["code"] == "rate_limited"
    assert 1 <= int(last.headers["retry-after"]) == last.json()["retry_after"] <= 62
    assert last.headers["ratelimit"].startswith('"api";r=0;t=')
    assert last.headers["x-content-type-options"] == "nosniff"


async def test_others_and_other_routes_are_not_affected(limited_shop: Client) -> None:
    await asked(limited_shop, "carts/mine", 13)
    assert statuses(await asked(limited_shop, "carts/mine", 1, "192.0.2.2")) == [401]
    assert statuses(await asked(limited_shop, "search?q=lamp", 10)) == [200] * 9 + [429]
    assert statuses(await asked(limited_shop, "auth/providers", 1)) == [429]
    assert statuses(await asked(limited_shop, "/openapi.json", 11)) == [200] * 10 + [429]
    assert statuses(await asked(limited_shop, "/health/live", 20)) == [200] * 20


async def test_a_household_of_ipv6_is_one_client(limited_shop: Client) -> None:
    for n in range(12):
        await asked(limited_shop, "carts/mine", 1, f"2001:db8:1:2::{n + 1:x}")
    assert statuses(await asked(limited_shop, "carts/mine", 1, "2001:db8:1:2:ffff::1")) == [429]
    assert statuses(await asked(limited_shop, "carts/mine", 1, "2001:db8:1:3::1")) == [401]


async def test_who_is_signed_in_has_an_allowance_of_their_own(limited_shop: Client) -> None:
    bearer = (await limited_shop.sign_in("ada@example.com"))["Authorization"]
    assert statuses(await asked(limited_shop, "me", 12, "192.0.2.3", authorization=bearer)) == [200] * 12
    assert statuses(await asked(limited_shop, "me", 1, "192.0.2.4", authorization=bearer)) == [429]
    assert statuses(await asked(limited_shop, "carts/mine", 1, "192.0.2.3")) == [401]


async def test_a_token_that_is_not_ours_is_no_other_client(limited_shop: Client) -> None:
    for n in range(12):
        await asked(limited_shop, "me", 1, "192.0.2.5", authorization=f"Bearer nonsense{n}")
    assert statuses(await asked(limited_shop, "me", 1, "192.0.2.5", authorization="Bearer another")) == [429]


async def test_pages_from_memory_count_and_say_what_is_left(fresh_url, tmp_path, wide_db) -> None:
    async with wide_db.tx() as tx:
        await a_product(tx, sku="LAMP", title="Lamp")
    async with serving(wide_db, fresh_url, tmp_path, ids.token(), RATE_LIMIT_API="200") as shop:
        answers = [await shop.get("products/lamp") for _ in range(210)]
        assert statuses(answers) == [200] * 200 + [429] * 10
        assert shop.cache.tallies["products"].hits >= 190
        left = [int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0]) for answer in answers[:200]]
        assert left == list(range(199, -1, -1))


async def test_pages_that_a_cdn_keeps_say_nothing_of_the_first_who_asked(fresh_url, tmp_path, wide_db) -> None:
    async with wide_db.tx() as tx:
        await a_product(tx, sku="LAMP", title="Lamp")
    async with serving(wide_db, fresh_url, tmp_path, ids.token(), CDN_TTL="60") as shop:
        for _ in range(3):
            assert "ratelimit" not in (await shop.get("products/lamp")).headers
        assert "ratelimit" in (await shop.get("carts/mine")).headers


async def test_the_security_log_says_once_who_asks_too_often(limited_shop: Client, monkeypatch) -> None:
    told = []
    monkeypatch.setattr(security, "tell", lambda event, **facts: told.append((event, facts)))
    await asked(limited_shop, "carts/mine", 20, "192.0.2.9")
    assert [(event, facts["address"], facts["key"]) for event, facts in told] == [
        ("limited", "192.0.2.9", "api:192.0.2.9")
    ]


async def test_staff_who_look_as_a_customer_spend_their_own(limited_shop: Client) -> None:
    tokens, customer, member = AccessTokens("a secret of the tests, long enough"), ids.new(), ids.new()
    own = tokens.issue(Viewer(customer, "customer"))
    looking = tokens.issue(Viewer(customer, "customer", watched_by=member))
    await asked(limited_shop, "me", 12, authorization=f"Bearer {looking}")
    assert statuses(await asked(limited_shop, "me", 1, authorization=f"Bearer {looking}")) == [429]
    (answer,) = await asked(limited_shop, "me", 1, authorization=f"Bearer {own}")
    assert answer.headers["ratelimit"].startswith('"api";r=11;')


async def test_who_signs_in_counts_by_address_whatever_tokens_they_have(limited_shop: Client) -> None:
    bearers = [(await limited_shop.sign_in(f"p{n}@example.com"))["Authorization"] for n in range(2)]
    proof, headers = {"email": "nobody@example.com", "password": "a wrong one"}, {"X-Forwarded-For": "192.0.2.8"}
    answers = [
        await limited_shop.post("auth/login", json=proof, headers=headers | {"Authorization": one})
        for one in bearers * 5
    ]
    assert statuses(answers) == [401] * 6 + [429] * 4


async def test_a_token_is_the_same_however_it_is_written(limited_shop: Client) -> None:
    token = (await limited_shop.sign_in("ada@example.com"))["Authorization"][7:]
    ways = [{"authorization": f"Bearer  {token}"}, {"authorization": f"bearer {token} "},
            {"cookie": f'__Host-access="{token}"'}, {"cookie": f"__Host-access=x; __Host-access={token}"}]  # fmt: skip
    for n in range(12):
        assert statuses(await asked(limited_shop, "me", 1, f"192.0.3.{n}", **ways[n % 4])) == [200]
    for n, way in enumerate(ways):
        assert statuses(await asked(limited_shop, "me", 1, f"192.0.4.{n}", **way)) == [429]


async def test_two_proofs_of_who_asks_are_refused(limited_shop: Client) -> None:
    token = (await limited_shop.sign_in("ada@example.com"))["Authorization"]
    answer = await limited_shop.get("me", headers=[("Authorization", token), ("Authorization", "Bearer other")])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_slashes_in_a_row_and_head_change_no_tier(limited_shop: Client) -> None:
    assert statuses(await asked(limited_shop, "/api/v1//search?q=lamp", 9, "192.0.2.7")) == [200] * 9
    assert statuses(await asked(limited_shop, "/api//v1/search/?q=lamp", 1, "192.0.2.7")) == [429]
    headers = {"X-Forwarded-For": "192.0.2.7"}
    assert (await limited_shop.head("search?q=lamp", headers=headers)).status_code == 429


async def test_what_is_refused_leaves_nothing_behind(limited_shop: Client) -> None:
    edge = limited_shop._transport.app
    answers = [(await asked(limited_shop, f"search?q=lamp{n}", 1, "192.0.2.6"))[0] for n in range(30)]
    assert statuses(answers).count(429) == 21
    assert len(edge._pages._names) <= 9
    await asked(limited_shop, "me", 1, "192.0.2.6", authorization="Bearer " + "x" * 5000)
    assert len(edge._limits._people) == 0


def test_the_table_and_the_router_agree_on_odd_paths() -> None:
    """However a path is written, what answers it is what it counts as."""
    router, table, declared = routes().asgi_router, limits(), limits().declared
    compared = 0
    for (method, path), tier in declared.items():
        plain = re.sub("{[^}]*}", "01a2157d-f199-7653-8d72-500000000e62", path)
        for odd in (plain, plain + "/", "/" + plain, plain.replace("/v1/", "/v1//"), plain.replace("/api", "//api")):
            try:
                _, handler, *_ = router.handle_routing(normalize_path(odd), method)
            except HTTPException:
                continue
            compared += 1
            assert table.of(method, odd)[0] == handler.opt.get("limit", "general") == tier, odd
    assert compared > 500


def test_every_route_has_a_tier_that_exists() -> None:
    declared = limits().declared
    assert set(declared.values()) == {*SETTING, "free"}
    assert declared["POST", "/api/v1/auth/login"] == "auth"
    assert declared["POST", "/api/v1/admin/products/{id_or_slug}/pictures"] == "upload"
    for (method, path), tier in declared.items():
        assert (tier == "free") == path.startswith(("/health", "/metrics")), (method, path)
        if path.startswith("/api/v1/admin/"):
            assert tier in ("admin", "upload")
        if "{" in path:
            assert limits().of(method, re.sub("{[^}]*}", "some-thing", path)) == (tier, path)
    assert limits().of("GET", "/no/such/path") == ("general", "(none)")
    with pytest.raises(KeyError):
        limited("nonsense")
