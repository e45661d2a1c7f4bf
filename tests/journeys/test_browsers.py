"""A browser signs in: tokens in cookies that scripts cannot read, and changes only from a page of the shop."""

from __future__ import annotations

import pytest

from tests.client import Client

ADA = {"email": "ada@example.com", "password": "correct horse"}
OURS = {"Sec-Fetch-Site": "same-origin", "Origin": "https://shop.test"}


@pytest.fixture
async def browser(shop: Client) -> Client:
    """A browser on https://shop.test, where Ada is signed in; its CSRF token is in `headers`."""
    shop.base_url = "https://shop.test"
    await shop.post("auth/register", json=ADA | {"name": "Ada"})
    answer = await shop.post("auth/login", json=ADA | {"cookies": True}, headers=OURS)
    assert answer.status_code == 200, answer.text
    shop.told = answer
    return shop


def token(browser: Client) -> dict[str, str]:
    return OURS | {"CSRF-Token": browser.told.json()["csrf_token"]}


async def test_tokens_are_in_cookies_and_nowhere_else(browser):
    set_cookies = browser.told.headers.get_list("set-cookie")
    assert {one.partition("=")[0] for one in set_cookies} == {"__Host-access", "__Host-refresh", "__Host-device"}
    for cookie in set_cookies:
        assert all(part in cookie.lower() for part in ("path=/", "secure", "httponly", "samesite=lax"))
        assert "domain" not in cookie.lower()
        assert cookie.partition("=")[2].partition(";")[0] not in browser.told.text
    assert set(browser.told.json()) == {"csrf_token", "expires_in"}
    assert browser.told.headers["cache-control"] == "no-store"
    assert (await browser.get("me")).json()["customer"]["email"] == ADA["email"]


@pytest.mark.parametrize("headers", [
    {}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"},
    {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.test"},
    {"Origin": "https://shop.test.evil.example"}, {"Origin": "http://["},
    {"Origin": "http://shop.test"}, {"Sec-Fetch-Site": "same-site", "Origin": "https://sub.shop.test"},
])  # fmt: skip
async def test_a_change_needs_a_page_of_the_shop_and_its_token(browser, headers):
    body = {"name": "Eve"}
    for with_token in ({}, {"CSRF-Token": "0" * 32}, {"CSRF-Token": browser.told.json()["csrf_token"]}):
        answer = await browser.patch("me", json=body, headers=headers | with_token)
        ours = headers.get("Sec-Fetch-Site") == "same-origin" and with_token.get("CSRF-Token", "0")[0:8] != "00000000"
        if ours and with_token:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


async def test_a_page_may_change_and_an_old_browser_may_too(browser):
    assert (await browser.patch("me", json={"name": "Ada L."}, headers=token(browser))).status_code == 200
    old = {"Origin": "https://shop.test", "CSRF-Token": browser.told.json()["csrf_token"]}
    assert (await browser.patch("me", json={"name": "Ada L."}, headers=old)).status_code == 200
    told = await browser.get("auth/csrf-token")
    assert told.json()["csrf_token"] == browser.told.json()["csrf_token"]


async def test_pages_of_allowed_origins_may_change_too(browser):
    state = browser._transport.app.shop
    config = state.platform.config.replace(CORS_ORIGINS="https://pages.example")
    object.__setattr__(state.platform, "config", config)
    there = {"Sec-Fetch-Site": "cross-site", "Origin": "https://pages.example"}
    answer = await browser.patch("me", json={"name": "A"}, headers=token(browser) | there)
    assert answer.status_code == 200
    assert (await browser.patch("me", json={"name": "A"}, headers=there)).json()["code"] == "csrf_failed"


async def test_a_token_of_another_session_is_none(browser, shop):
    first = browser.told.json()["csrf_token"]
    browser.told = await browser.post("auth/login", json=ADA | {"cookies": True}, headers=OURS)
    assert browser.told.json()["csrf_token"] != first
    answer = await browser.patch("me", json={"name": "A"}, headers=OURS | {"CSRF-Token": first})
    assert answer.json()["code"] == "csrf_failed"


async def test_signing_in_with_cookies_needs_a_page_of_the_shop(shop):
    await shop.post("auth/register", json=ADA | {"name": "Ada"})
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await shop.post("auth/login", json=ADA | {"cookies": True}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
        assert "set-cookie" not in answer.headers


async def test_renewing_and_leaving(browser):
    renewed = await browser.post("auth/refresh", json={}, headers=OURS)
    assert renewed.json() == browser.told.json()
    assert (await browser.post("auth/refresh", json={})).json()["code"] == "csrf_failed"
    assert (await browser.post("auth/logout", json={}, headers=OURS)).json()["code"] == "csrf_failed"
    gone = await browser.post("auth/logout", json={}, headers=token(browser))
    assert gone.status_code == 204
    assert gone.headers["clear-site-data"]
    assert "__Host-access" not in browser.cookies
    assert "__Host-device" in browser.cookies
    assert (await browser.get("me")).json()["code"] == "sign_in_required"
    assert (await browser.post("auth/refresh", json={}, headers=OURS)).json()["code"] == "refresh_token_invalid"


async def test_the_device_cookie_keeps_the_owner_in(browser, shop):
    await browser.post("auth/logout", json={}, headers=token(browser))
    device = browser.cookies.get("__Host-device")
    browser.cookies.clear()
    for _ in range(6):
        assert (await browser.post("auth/login", json=ADA | {"password": "wrong"})).status_code == 401
    assert (await browser.post("auth/login", json=ADA)).status_code == 401
    browser.cookies.set("__Host-device", device, domain="shop.test", path="/")
    answer = await browser.post("auth/login", json=ADA | {"cookies": True}, headers=OURS)
    assert answer.status_code == 200


async def test_a_bearer_needs_no_page_and_a_stale_cookie_is_a_guest(browser):
    bearer = await browser.post("auth/login", json=ADA)
    headers = {"Authorization": f"Bearer {bearer.json()['access_token']}"}
    assert (await browser.patch("me", json={"name": "A"}, headers=headers)).status_code == 200
    browser.cookies.clear()
    browser.cookies.set("__Host-access", "nonsense", domain="shop.test", path="/")
    assert (await browser.post("carts")).status_code == 201
    assert (await browser.get("me")).json()["code"] == "sign_in_required"
