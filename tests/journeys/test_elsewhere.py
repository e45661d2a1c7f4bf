"""Signing in with an account elsewhere: whom it opens an account to, and to whom it never does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import pyotp
import pytest

from tests.client import Client, client_of
from tests.conftest import platform_of
from tests.journeys.test_accounts import letters, token_in
from tests.providers import identity_provider
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout
from tfmshop.commerce.accounts.store_sessions import VERIFIED
from tfmshop.commerce.payments import Providers
from tfmshop.platform import clock
from tfmshop.platform.db import Query
from tfmshop.platform.security.openid import providers_of
from tfmshop.surface.http.app import build
from tfmshop.surface.http.context import Shop

AN_HOUR_AGO = Query("test.an_hour_ago", "UPDATE accounts.session SET created_at = created_at - interval '1 hour'")


@pytest.fixture(scope="module")
def company():
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(company):
    """The provider, honest again, which knows Ada."""
    company.person = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True, "name": "Ada"}
    company.lies, company.signs_with = {}, "key"
    return company


@pytest.fixture
async def shop(settings, db, provider):
    config = settings.replace(SHOP_URL="https://shop.test")

    @asynccontextmanager
    async def open_shop():
        platform = platform_of(config, db)
        known = providers_of([f"acme|{provider.issuer}|us|a secret", f"other|{provider.issuer}|us|a secret"])
        yield Shop(platform, Providers(), checkout.Till(db, platform.seals), known)
        await platform.redis.close()
        platform.passwords.close()

    async with client_of(build(open_shop)) as client:
        yield client


async def back(shop: Client, provider, name: str = "acme") -> dict[str, str]:
    begun = await shop.post(f"auth/oidc/{name}/begin")
    assert begun.status_code == 200, begun.text
    return provider.authorize(begun.json()["authorization_url"]) | {"flow": begun.json()["flow"]}


async def sign_in(shop: Client, provider, name: str = "acme", **more):
    return await shop.post(f"auth/oidc/{name}/finish", json=await back(shop, provider, name) | more)


def bearer(answer) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def joined(shop: Client, provider, me: dict[str, str]):
    return await shop.post(
        "me/identities/acme", json=await back(shop, provider) | {"password": "correct horse"}, headers=me
    )


async def test_somebody_new_gets_an_account_and_comes_back_to_it(shop, provider):
    assert (await shop.get("auth/providers")).json() == {"items": ["acme", "other"]}
    first = (await shop.get("me", headers=bearer(await sign_in(shop, provider)))).json()["customer"]
    assert (first["email"], first["name"], first["role"]) == ("ada@example.com", "Ada", "customer")
    provider.person["email"] = "new@example.com"
    again = (await shop.get("me", headers=bearer(await sign_in(shop, provider)))).json()["customer"]
    assert again["id"] == first["id"]
    body = {"email": "ada@example.com", "password": "none"}
    assert (await shop.post("auth/login", json=body)).json()["code"] == "invalid_credentials"


async def test_an_address_that_its_provider_did_not_verify_opens_nothing(shop, provider):
    for lie in (False, None, "true", 1):
        provider.lies = {"email_verified": lie}
        answer = await sign_in(shop, provider)
        assert (answer.status_code, answer.json()["code"]) == (409, "sign_in_address_unverified")
    provider.lies = {"email": "\u212aate@example.com"}  # the sign of kelvin, which is "k" in lower case
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"
    provider.lies = {"email": None}
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"


async def test_an_account_that_somebody_registered_with_her_address_is_not_joined(shop, provider, db):
    eve = await shop.sign_in("ada@example.com")
    answer = await sign_in(shop, provider)
    assert (answer.status_code, answer.json()["code"]) == (409, "sign_in_address_unverified")
    id = (await shop.get("me", headers=eve)).json()["customer"]["id"]
    async with db.tx() as tx:
        await tx.execute(VERIFIED, id)
    assert (await shop.get("me", headers=bearer(await sign_in(shop, provider)))).json()["customer"]["id"] == id


async def test_accounts_of_staff_are_never_joined_by_their_address(shop, provider):
    provider.person["email"] = "admin@staff.example"
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"


async def test_a_flow_is_finished_by_whoever_began_it_and_once(shop, provider):
    mine, other = await back(shop, provider), await back(shop, provider)
    for wrong in (mine | {"flow": other["flow"]}, mine | {"state": other["state"]}, mine | {"flow": "x"},
                  mine | {"flow": ""}, mine | {"state": ""}):  # fmt: skip
        answer = await shop.post("auth/oidc/acme/finish", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (409, "sign_in_flow_invalid")
    crossed = await shop.post("auth/oidc/other/finish", json=mine)
    assert crossed.json()["code"] == "sign_in_flow_invalid"
    stolen = await shop.post("auth/oidc/acme/finish", json=other | {"code": mine["code"]})
    assert stolen.json()["code"] == "sign_in_provider_refused"
    assert (await shop.post("auth/oidc/acme/finish", json=other)).status_code == 200
    again = await shop.post("auth/oidc/acme/finish", json=other)
    assert (again.status_code, again.json()["code"]) == (401, "sign_in_provider_refused")
    late = await back(shop, provider)
    with clock.held(clock.now() + timedelta(minutes=11)):
        assert (await shop.post("auth/oidc/acme/finish", json=late)).json()["code"] == "sign_in_flow_invalid"


@pytest.mark.parametrize("lie", [
    {"iss": "https://evil.example"}, {"aud": "somebody else"}, {"aud": ["us", "them"]}, {"nonce": "another"},
    {"nonce": None}, {"exp": 1}, {"sub": None}, {"iat": None}, {"exp": None},
])  # fmt: skip
async def test_what_a_token_must_say(shop, provider, lie):
    provider.lies = lie
    answer = await sign_in(shop, provider)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_provider_refused"), answer.text


@pytest.mark.parametrize("way", ["secret", "nothing", "another"])
async def test_how_a_token_must_be_signed(shop, provider, way):
    provider.signs_with = way
    answer = await sign_in(shop, provider)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_provider_refused"), answer.text


async def test_accounts_are_joined_and_parted_by_hand(shop, provider, db, postbox):
    me = await shop.sign_in("other@example.com")
    for wrong in ({}, {"password": "guessed it"}):
        answer = await shop.post("me/identities/acme", json=await back(shop, provider) | wrong, headers=me)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert await letters(db, postbox)
    assert (await joined(shop, provider, me)).status_code == 204
    (letter,) = await letters(db, postbox)
    assert letter["subject"] == "Another way into your account at Lamp & Co"
    assert (await joined(shop, provider, me)).status_code == 204
    assert await letters(db, postbox) == [], "it was joined before"
    assert [one["provider"] for one in (await shop.get("me/identities", headers=me)).json()["items"]] == ["acme"]
    assert (await shop.get("me/export", headers=me)).json()["identities"][0]["provider"] == "acme"
    mine = (await shop.get("me", headers=me)).json()["customer"]["id"]
    assert (await shop.get("me", headers=bearer(await sign_in(shop, provider)))).json()["customer"]["id"] == mine
    eve = await shop.sign_in("eve@example.com")
    taken = await joined(shop, provider, eve)
    assert (taken.status_code, taken.json()["code"]) == (409, "identity_taken")
    assert (await shop.delete("me/identities/acme", headers=eve)).json()["code"] == "identity_not_found"
    assert (await shop.delete("me/identities/acme", headers=me)).status_code == 204
    assert (await shop.get("me/identities", headers=me)).json()["items"] == []


async def test_the_only_way_in_stays(shop, provider):
    me = bearer(await sign_in(shop, provider))
    answer = await shop.delete("me/identities/acme", headers=me)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_way_in")


async def test_a_second_factor_and_a_closed_account_count_here_too(shop, provider):
    me = await shop.sign_in("ada@example.com")
    secret = (await shop.post("me/second-factor", json={"password": "correct horse"}, headers=me)).json()["secret"]
    now = clock.now()
    with clock.held(now):
        await shop.post("me/second-factor/confirm", json={"code": pyotp.TOTP(secret).at(now)}, headers=me)
    await joined(shop, provider, me)
    assert (await sign_in(shop, provider)).json()["code"] == "second_factor_required"
    assert (await sign_in(shop, provider, second_factor="000000")).json()["code"] == "second_factor_invalid"
    later = now + timedelta(seconds=60)
    with clock.held(later):
        assert (await sign_in(shop, provider, second_factor=pyotp.TOTP(secret).at(later))).status_code == 200
    id = (await shop.get("me", headers=me)).json()["customer"]["id"]
    await shop.patch(f"admin/customers/{id}", json={"is_active": False, "why": "x"}, headers=staff())
    assert (await sign_in(shop, provider)).json()["code"] == "account_closed"


async def test_a_provider_that_is_away_or_unknown(shop, provider):
    assert (await shop.post("auth/oidc/nobody/begin")).json()["code"] == "sign_in_provider_unknown"
    known = shop._transport.app.shop.sign_in_providers["acme"]
    body = await back(shop, provider)
    known._metadata = known._metadata | {"token_endpoint": "http://127.0.0.1:1/token"}
    answer = await shop.post("auth/oidc/acme/finish", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "sign_in_provider_unavailable")
    known.issuer, known._keys = "http://127.0.0.1:1", None
    answer = await shop.post("auth/oidc/acme/begin")
    assert (answer.status_code, answer.json()["code"]) == (503, "sign_in_provider_unavailable")


async def test_a_browser_gets_cookies(shop, provider):
    body = await back(shop, provider)
    answer = await shop.post("auth/oidc/acme/finish", json=body | {"cookies": True})
    assert answer.json()["code"] == "csrf_failed"
    ours = {"Sec-Fetch-Site": "same-origin"}
    answer = await shop.post("auth/oidc/acme/finish", json=body | {"cookies": True}, headers=ours)
    assert set(answer.json()) == {"csrf_token", "expires_in"}


async def test_a_session_that_ended_joins_nothing(shop, provider):
    await shop.sign_in("eve@example.com")
    refresh = await shop.post("auth/login", json={"email": "eve@example.com", "password": "correct horse"})
    me = bearer(refresh)
    await shop.post("auth/logout", json={"refresh_token": refresh.json()["refresh_token"]})
    answer = await shop.post("me/identities/acme", json=await back(shop, provider), headers=me)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


async def test_an_account_with_a_second_factor_is_joined_by_its_owner_only(shop, provider, db):
    me = await shop.sign_in("ada@example.com")
    secret = (await shop.post("me/second-factor", json={"password": "correct horse"}, headers=me)).json()["secret"]
    await shop.post("me/second-factor/confirm", json={"code": pyotp.TOTP(secret).now()}, headers=me)
    id = (await shop.get("me", headers=me)).json()["customer"]["id"]
    async with db.tx() as tx:
        await tx.execute(VERIFIED, id)
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"
    assert (await shop.get("me/identities", headers=me)).json()["items"] == []


async def test_a_new_password_parts_from_every_account_elsewhere(shop, provider):
    me = await shop.sign_in("ada@example.com")
    assert (await joined(shop, provider, me)).status_code == 204
    new = {"old": "correct horse", "new": "another battery staple"}
    assert (await shop.put("me/password", json=new, headers=me)).status_code == 204
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"


async def test_who_has_no_password_joins_another_soon_after_signing_in(shop, provider, db):
    me = bearer(await sign_in(shop, provider))
    async with db.tx() as tx:
        await tx.execute(AN_HOUR_AGO)
    provider.person["sub"] = "another"
    answer = await shop.post("me/identities/acme", json=await back(shop, provider), headers=me)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    provider.person["sub"] = "ada-1"
    again = bearer(await sign_in(shop, provider))
    provider.person["sub"] = "another"
    assert (await shop.post("me/identities/acme", json=await back(shop, provider), headers=again)).status_code == 204


async def test_who_reads_a_letter_for_somebody_else_does_not_open_her_account_to_them(shop, provider, db, postbox):
    eve = await shop.sign_in("ada@example.com")
    (letter,) = await letters(db, postbox)
    ada = {"email": "ada@example.com", "password": "a password of her own", "name": "Ada"}
    assert (await shop.post("auth/register", json=ada)).status_code == 201
    assert (await shop.post("auth/verify-email", json={"token": token_in(letter)})).status_code == 401
    assert (await sign_in(shop, provider)).json()["code"] == "sign_in_address_unverified"
    await letters(db, postbox)
    await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    (letter,) = await letters(db, postbox)
    new = {"token": token_in(letter), "password": "a password of her own"}
    assert (await shop.post("auth/reset-password", json=new)).status_code == 200
    assert (await sign_in(shop, provider)).status_code == 200
    assert (await shop.patch("me", json={"name": "Eve"}, headers=eve)).status_code == 401
