"""Registering and signing in over HTTP."""

from __future__ import annotations

import jwt
import pytest


async def test_register_sign_in_and_be_oneself(shop):
    me = await shop.sign_in("Ada@Example.com")
    profile = (await shop.get("me", headers=me)).json()
    assert (profile["customer"]["email"], profile["customer"]["role"]) == ("ada@example.com", "customer")
    assert (profile["addresses"], profile["default_address"]) == ([], None)


async def test_a_second_registration_looks_the_same_and_changes_nothing(shop):
    person = {"email": "ada@example.com", "password": "the first one", "name": "Ada"}
    first = await shop.post("auth/register", json=person)
    second = await shop.post("auth/register", json={**person, "password": "the other one"})
    assert (first.status_code, first.content) == (second.status_code, second.content)
    answer = await shop.post("auth/login", json={"email": "ada@example.com", "password": "the other one"})
    assert answer.json()["code"] == "invalid_credentials"
    answer = await shop.post("auth/login", json={"email": "ADA@example.com ", "password": "the first one"})
    assert answer.status_code == 200


async def test_unknown_and_wrong_look_the_same(shop):
    await shop.sign_in("ada@example.com")
    wrong = await shop.post("auth/login", json={"email": "ada@example.com", "password": "wrong wrong"})
    unknown = await shop.post("auth/login", json={"email": "bob@example.com", "password": "wrong wrong"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    drop = {"request_id"}
    assert {k: v for k, v in wrong.json().items() if k not in drop} == {
        k: v for k, v in unknown.json().items() if k not in drop
    }


@pytest.mark.parametrize("change", [{"password": "short"}, {"email": "nobody"}, {"name": ""}, {"role": "admin"}])
async def test_bad_registrations(shop, change):
    person = {"email": "a@example.com", "password": "long enough", "name": "A"} | change
    answer = await shop.post("auth/register", json=person)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_tokens_that_are_not_ours(shop):
    me = await shop.sign_in("ada@example.com")
    good = me["Authorization"][7:]
    claims = jwt.decode(good, options={"verify_signature": False})
    headers = {"typ": "at+jwt"}
    forged = [
        jwt.encode(claims, "another secret that is long enough", "HS256", headers=headers),
        jwt.encode(claims, "", "none", headers=headers),
        jwt.encode(claims | {"exp": 1}, "a secret of the tests, long enough", "HS256", headers=headers),
        jwt.encode(claims, "a secret of the tests, long enough", "HS256"),
        jwt.encode(claims | {"aud": "other"}, "a secret of the tests, long enough", "HS256", headers=headers),
        "nonsense",
        "",
    ]
    for token in forged:
        answer = await shop.get("me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), token
    assert (await shop.get("me")).json()["code"] == "sign_in_required"
    assert (await shop.get("me", headers={"Authorization": f"bearer {good}"})).status_code == 200
