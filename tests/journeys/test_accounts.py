"""Stories of accounts: sessions that are renewed and ended, letters with links, passwords."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pyotp
import pytest

from tests.client import ADDRESS
from tests.conftest import SEALS, open_client, platform_of
from tests.journeys.test_news import TAKE as TAKE_JOBS
from tests.making import new_product, some_products
from tfmshop.commerce import accounts, news
from tfmshop.commerce.accounts.errors import InvalidCredentials
from tfmshop.commerce.news.letters import send
from tfmshop.platform import clock, codec, ids
from tfmshop.platform.db import Query
from tfmshop.platform.jobs import HANDLERS, SCHEDULES
from tfmshop.platform.security.seals import Seals, opened

SENDER = news.Sender("Lamp & Co", "https://lamps.example", seals=SEALS)
AGE = Query("test.age_sessions", "UPDATE accounts.session SET renewed_at = renewed_at - $1::interval")
EXPIRE = Query("test.expire_proofs", "UPDATE accounts.proof SET expires_at = now() - interval '1 s'")
LONG_AGO = Query("test.sessions_long_ago", "UPDATE accounts.session SET expires_at = now() - interval '8 days'")
COUNTS = Query("test.session_counts", "SELECT (SELECT count(*)::int FROM accounts.session), "
               "(SELECT count(*)::int FROM accounts.proof)")  # fmt: skip
KEPT = Query("test.what_is_kept", "SELECT concat(s::text, p::text, l::text) FROM accounts.session AS s "
             "FULL JOIN accounts.proof AS p ON true FULL JOIN news.letter AS l ON true")  # fmt: skip
PROMOTE = Query("test.promote", "UPDATE accounts.customer SET role = 'admin'")
FACTORS = Query("test.factors", "SELECT string_agg(f::text, ' ') FROM accounts.second_factor AS f")
CLOSE = Query("test.close_account", "UPDATE accounts.customer SET is_active = false")
VERIFIED = Query("test.verified", "SELECT verified_at IS NOT NULL FROM accounts.customer WHERE email = $1")
PERSON = {"email": "ada@example.com", "password": "correct horse", "name": "Ada"}
JOBS = ["accounts.forgot", "accounts.registered", "accounts.password_changed", "accounts.new_email",
        "accounts.email_changed", "accounts.identity_joined"]  # fmt: skip


async def signed(shop, **change: Any) -> dict[str, Any]:
    """Register Ada if needed, and sign in."""
    await shop.post("auth/register", json=PERSON)
    answer = await shop.post("auth/login", json={"email": PERSON["email"], "password": PERSON["password"]} | change)
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def renewed(shop, token: str):
    return await shop.post("auth/refresh", json={"refresh_token": token})


async def letters(db, box) -> list[Any]:
    """Do what waits, twice as a queue may; the letters that came."""
    before = len(box.letters)
    async with db.tx() as tx:
        due = [(row["entrypoint"], row["payload"]) for row in await tx.rows(TAKE_JOBS, JOBS)]
    for name, payload in due * 2:
        await HANDLERS[name](db, payload)
    async with db.tx() as tx:
        reasons = [codec.decode(row["payload"])["reason"] for row in await tx.rows(TAKE_JOBS, ["news.letter"])]
    for reason in reasons * 2:
        await send(db, box.mailer, SENDER, reason)
    return box.letters[before:]


def token_in(letter) -> str:
    text = letter.get_body(preferencelist=("plain",)).get_content()
    (token,) = re.findall(r"token=([A-Za-z0-9_-]+)", text)
    assert token in letter.get_body(preferencelist=("html",)).get_content()
    return token


async def test_a_session_is_renewed_with_a_token_that_is_good_once(shop, db):
    first = await signed(shop)
    second = (await renewed(shop, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await shop.get("me", headers=bearer(second))).status_code == 200
    lost = (await renewed(shop, first["refresh_token"])).json()
    assert lost["refresh_token"] == second["refresh_token"], "the answer was lost, and the same comes again"
    third = (await renewed(shop, second["refresh_token"])).json()
    async with db.tx() as tx:
        await tx.execute(AGE, timedelta(seconds=11))
    thief = await renewed(shop, second["refresh_token"])
    assert (thief.status_code, thief.json()["code"]) == (401, "refresh_token_invalid")
    owner = await renewed(shop, third["refresh_token"])
    assert (owner.status_code, owner.json()["code"]) == (401, "refresh_token_invalid")
    assert (await shop.get("me/sessions", headers=bearer(third))).json()["items"] == []


async def test_a_token_of_two_steps_before_ends_the_session_at_once(shop):
    first = await signed(shop)
    second = (await renewed(shop, first["refresh_token"])).json()
    third = (await renewed(shop, second["refresh_token"])).json()
    assert (await renewed(shop, first["refresh_token"])).status_code == 401
    assert (await renewed(shop, third["refresh_token"])).status_code == 401


async def test_one_token_sent_at_once_gives_one_successor(busy_shop):
    first = await signed(busy_shop)
    answers = await asyncio.gather(*[renewed(busy_shop, first["refresh_token"]) for _ in range(8)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_tokens_that_are_not_ours_end_nothing(shop):
    good = await signed(shop)
    sealed = opened(good["refresh_token"])
    other = Seals("another secret")
    forged = [
        other.token("refresh", sealed.id, b"x" * 16), SEALS.token("reset", sealed.id, b"x" * 16),
        SEALS.token("refresh", uuid4(), b"x" * 16), good["refresh_token"][:-1] + "!", good["refresh_token"][:-4],
        "", "x", "é" * 48, good["access_token"][:100],
    ]  # fmt: skip
    for token in forged:
        answer = await renewed(shop, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_token_invalid"), token
        assert (await shop.post("auth/logout", json={"refresh_token": token})).status_code == 204
    assert (await renewed(shop, good["refresh_token"])).status_code == 200


async def test_a_session_that_nobody_renews_ends(shop):
    begun = clock.now()
    for late, status in ((timedelta(seconds=-60), 200), (timedelta(seconds=60), 401)):
        token = (await signed(shop))["refresh_token"]
        with clock.held(begun + accounts.sessions.LIFETIME + late):
            assert (await renewed(shop, token)).status_code == status


async def test_sessions_are_listed_and_ended(shop):
    mine, other = await signed(shop), await signed(shop)
    await shop.sign_in("bob@example.com")
    listed = (await shop.get("me/sessions", headers=bearer(mine))).json()["items"]
    assert [one["current"] for one in listed] == [False, True]
    assert listed[0]["user_agent"].startswith("python-httpx")
    foreign = await shop.delete(f"me/sessions/{listed[0]['id']}", headers=await shop.sign_in("eve@example.com"))
    missing = await shop.delete(f"me/sessions/{uuid4()}", headers=bearer(mine))
    assert foreign.json()["code"] == missing.json()["code"] == "session_not_found"
    assert (await shop.delete(f"me/sessions/{listed[0]['id']}", headers=bearer(mine))).status_code == 204
    assert (await renewed(shop, other["refresh_token"])).status_code == 401
    third = await signed(shop)
    assert (await shop.delete("me/sessions", headers=bearer(mine))).status_code == 204
    assert (await renewed(shop, third["refresh_token"])).status_code == 401
    mine = (await renewed(shop, mine["refresh_token"])).json()
    assert (await shop.post("auth/logout", json={"refresh_token": mine["refresh_token"]})).status_code == 204
    assert (await renewed(shop, mine["refresh_token"])).status_code == 401


async def test_a_closed_account_renews_nothing(shop, db):
    tokens = await signed(shop)
    async with db.tx() as tx:
        await tx.execute(CLOSE)
    assert (await renewed(shop, tokens["refresh_token"])).status_code == 401


async def test_a_new_person_verifies_their_address(shop, db, postbox):
    await shop.post("auth/register", json=PERSON)
    (letter,) = await letters(db, postbox)
    assert (letter["to"], letter["subject"]) == ("ada@example.com", "Your account at Lamp & Co")
    token = token_in(letter)
    assert (await shop.post("auth/reset-password", json={"token": token, "password": "a new one"})).status_code == 409
    assert (await shop.post("auth/verify-email", json={"token": token})).json()["code"] == "sign_in_required"
    eve = await shop.sign_in("eve@example.com")
    assert (await shop.post("auth/verify-email", json={"token": token}, headers=eve)).json()["code"] == "link_invalid"
    await letters(db, postbox)
    me = bearer(await signed(shop))
    for status in (204, 409):
        assert (await shop.post("auth/verify-email", json={"token": token}, headers=me)).status_code == status
    async with db.read() as tx:
        assert await tx.value(VERIFIED, "ada@example.com")
    again = await shop.post("auth/register", json=PERSON)
    assert again.status_code == 201
    (known,) = await letters(db, postbox)
    assert known["subject"] == "You have an account at Lamp & Co"
    await shop.post("auth/register", json=PERSON)
    assert await letters(db, postbox) == [], "once an hour"


async def test_a_forgotten_password_is_set_anew_and_every_session_ends(shop, db, postbox):
    tokens = await signed(shop)
    await letters(db, postbox)
    known = await shop.post("auth/forgot-password", json={"email": " ADA@example.com".strip()})
    unknown = await shop.post("auth/forgot-password", json={"email": "nobody@else.example"})
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content.replace(b"nobody@else.example", b"ADA@example.com")
    second = await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    assert second.status_code == 202
    one, two = await letters(db, postbox)
    assert {one["to"], two["to"]} == {"ada@example.com"}
    short = await shop.post("auth/reset-password", json={"token": token_in(one), "password": "short"})
    assert short.status_code == 422
    set = await shop.post("auth/reset-password", json={"token": token_in(one), "password": "battery staple"})
    assert set.status_code == 200
    for letter in (one, two):
        used = await shop.post("auth/reset-password", json={"token": token_in(letter), "password": "another one"})
        assert (used.status_code, used.json()["code"]) == (409, "link_invalid")
    assert (await renewed(shop, tokens["refresh_token"])).status_code == 401
    old = await shop.post("auth/login", json={"email": "ada@example.com", "password": PERSON["password"]})
    assert old.json()["code"] == "invalid_credentials"
    await signed(shop, password="battery staple")
    told = [letter["subject"] for letter in await letters(db, postbox)]
    assert told.count("Your password at Lamp & Co changed") == 1


async def test_a_link_that_is_too_old_or_of_a_closed_account_sets_nothing(shop, db, postbox):
    await shop.post("auth/register", json=PERSON)
    await letters(db, postbox)
    for spoil in (EXPIRE, CLOSE):
        await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
        (letter,) = await letters(db, postbox)
        async with db.tx() as tx:
            await tx.execute(spoil)
        answer = await shop.post("auth/reset-password", json={"token": token_in(letter), "password": "a new one"})
        assert (answer.status_code, answer.json()["code"]) == (409, "link_invalid")
    await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    assert await letters(db, postbox) == [], "a closed account gets no letters"


async def test_nobody_gets_more_than_five_links_an_hour(shop, db, postbox):
    await shop.post("auth/register", json=PERSON)
    await letters(db, postbox)
    for _ in range(8):
        await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    assert len(await letters(db, postbox)) == 5


async def test_one_link_used_at_once_sets_one_password(busy_shop, wide_db, postbox):
    await busy_shop.post("auth/register", json=PERSON)
    await busy_shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    token = token_in((await letters(wide_db, postbox))[-1])
    wishes = [
        busy_shop.post("auth/reset-password", json={"token": token, "password": f"password {n}"}) for n in range(5)
    ]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*wishes)])
    assert statuses == [200, 409, 409, 409, 409]


async def test_a_password_is_changed_by_whoever_knows_it(shop, db):
    mine, other = await signed(shop), await signed(shop)
    wrong = await shop.put("me/password", json={"old": "not it", "new": "battery staple"}, headers=bearer(mine))
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    body = {"old": PERSON["password"], "new": "battery staple"}
    assert (await shop.put("me/password", json=body)).json()["code"] == "sign_in_required"
    assert (await shop.put("me/password", json=body, headers=bearer(mine))).status_code == 204
    assert (await renewed(shop, other["refresh_token"])).status_code == 401
    assert (await renewed(shop, mine["refresh_token"])).status_code == 200
    await signed(shop, password="battery staple")


async def test_no_token_is_kept_anywhere(shop, db, postbox):
    tokens = await signed(shop)
    await shop.post("auth/forgot-password", json={"email": "ada@example.com"})
    made = [token_in(letter) for letter in await letters(db, postbox)]
    assert len(made) == 2
    async with db.read() as tx:
        kept = " ".join(row[0] for row in await tx.rows(KEPT))
    for token in (*made, tokens["refresh_token"]):
        assert token not in kept
        assert opened(token).proof.hex() not in kept


async def test_what_ended_long_ago_is_forgotten(shop, db, postbox):
    await signed(shop)
    await letters(db, postbox)
    async with db.tx() as tx:
        await tx.execute(LONG_AGO)
    await SCHEDULES["accounts.forget"].task(db)
    async with db.read() as tx:
        assert tuple(await tx.row(COUNTS)) == (0, 1)


def test_a_token_says_what_it_was_made_of():
    id = ids.new()
    token = SEALS.token("reset", id, b"salt", 7)
    sealed = opened(token)
    assert (sealed.id, sealed.number, len(token)) == (id, 7, 48)
    assert SEALS.fits(sealed, "reset", b"salt")
    for purpose, salt, seals in (("verify", b"salt", SEALS), ("reset", b"sals", SEALS), ("reset", b"salt", Seals("x"))):
        assert not seals.fits(sealed, purpose, salt)
    assert not SEALS.fits(opened(SEALS.token("reset", UUID(int=id.int ^ 1), b"salt", 7)), "verify", b"salt")
    assert accounts.sessions.PURPOSE != "reset"


async def test_addresses_are_kept_and_one_is_the_default(shop):
    me, eve = bearer(await signed(shop)), await shop.sign_in("eve@example.com")
    home = {"address": ADDRESS}
    first = (await shop.post("me/addresses", json=home, headers=me)).json()
    assert first["is_default"]
    work = {"address": ADDRESS | {"line1": "2 Work Street"}}
    second = (await shop.post("me/addresses", json=work, headers=me)).json()
    assert not second["is_default"]
    third = (await shop.post("me/addresses", json=work | {"is_default": True}, headers=me)).json()
    listed = (await shop.get("me/addresses", headers=me)).json()["items"]
    assert [one["is_default"] for one in listed] == [False, False, True]
    changed = await shop.put(f"me/addresses/{second['id']}", json=home | {"is_default": True}, headers=me)
    assert changed.json() == {"id": second["id"], "address": ADDRESS, "is_default": True}
    for path in (first["id"], str(uuid4())):
        for answer in (await shop.put(f"me/addresses/{path}", json=home, headers=eve),
                       await shop.delete(f"me/addresses/{path}", headers=eve)):  # fmt: skip
            assert (answer.status_code, answer.json()["code"]) == (404, "address_not_found")
    assert (await shop.delete(f"me/addresses/{second['id']}", headers=me)).status_code == 204
    left = (await shop.get("me/addresses", headers=me)).json()["items"]
    assert [(one["id"], one["is_default"]) for one in left] == [(first["id"], False), (third["id"], True)]
    assert (await shop.get("me", headers=me)).json()["default_address"]["line1"] == "2 Work Street"
    assert (await shop.get("me/addresses", headers=eve)).json()["items"] == []
    for path in ("me/addresses", "me/wishlist", "me/sessions"):
        assert (await shop.get(path)).json()["code"] == "sign_in_required"


async def test_no_more_is_kept_than_was_said(shop, monkeypatch):
    me = bearer(await signed(shop))
    monkeypatch.setattr(accounts.book, "MOST_ADDRESSES", 2)
    for status in (201, 201, 409):
        answer = await shop.post("me/addresses", json={"address": ADDRESS}, headers=me)
        assert answer.status_code == status, answer.text
    assert answer.json()["code"] == "too_many_kept"


async def test_wishes_are_noted_once_and_forgotten(shop, db):
    async with db.tx() as tx:
        lamp, shade = await some_products(tx, new_product(title="Lamp"), new_product(title="Shade"))
    me = bearer(await signed(shop))
    for wanted in (lamp, lamp, shade):
        assert (await shop.put(f"me/wishlist/{wanted}", headers=me)).status_code == 204
    assert (await shop.put(f"me/wishlist/{uuid4()}", headers=me)).json()["code"] == "product_not_found"
    listed = (await shop.get("me/wishlist", headers=me)).json()["items"]
    assert {(one["title"], one["in_stock"]) for one in listed} == {("Lamp", True), ("Shade", True)}
    assert (await shop.delete(f"me/wishlist/{lamp}", headers=me)).status_code == 204
    assert [one["title"] for one in (await shop.get("me/wishlist", headers=me)).json()["items"]] == ["Shade"]


async def test_a_name_is_changed_and_nothing_else(shop):
    me = bearer(await signed(shop))
    assert (await shop.patch("me", json={"name": "Ada L."}, headers=me)).json()["name"] == "Ada L."
    for wrong in ({"name": "A", "role": "admin"}, {"role": "admin"}, {"name": ""}, {"email": "x@example.com"}):
        assert (await shop.patch("me", json=wrong, headers=me)).status_code == 422
    assert (await shop.patch("me", json={"name": "Eve"})).json()["code"] == "sign_in_required"


async def test_another_address_is_taken_by_whoever_asked_and_nobody_else(shop, db, postbox):
    mine, other = await signed(shop), await signed(shop)
    eve = await shop.sign_in("eve@example.com")
    await letters(db, postbox)
    wish = {"email": "new@example.com", "password": PERSON["password"]}
    wrong = await shop.post("me/email", json=wish | {"password": "guessed it"}, headers=bearer(mine))
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    assert (await shop.post("me/email", json=wish, headers=bearer(mine))).status_code == 202
    (letter,) = await letters(db, postbox)
    assert letter["to"] == "new@example.com"
    token = {"token": token_in(letter)}
    assert (await shop.post("me/email/confirm", json=token)).json()["code"] == "sign_in_required"
    foreign = await shop.post("me/email/confirm", json=token, headers=eve)
    assert (foreign.status_code, foreign.json()["code"]) == (409, "link_invalid")
    for path, body in (("auth/verify-email", token), ("auth/reset-password", token | {"password": "a new one"})):
        assert (await shop.post(path, json=body, headers=bearer(mine))).json()["code"] == "link_invalid"
    for status in (204, 409):
        assert (await shop.post("me/email/confirm", json=token, headers=bearer(mine))).status_code == status
    assert (await shop.get("me", headers=bearer(mine))).json()["customer"]["email"] == "new@example.com"
    assert (await renewed(shop, other["refresh_token"])).status_code == 401
    assert (await renewed(shop, mine["refresh_token"])).status_code == 200
    (told,) = await letters(db, postbox)
    assert (told["to"], told["subject"]) == ("ada@example.com", "Your address at Lamp & Co changed")


async def test_an_address_that_has_an_account_is_not_taken_and_not_told(shop, db, postbox):
    mine = await signed(shop)
    await shop.sign_in("eve@example.com")
    await letters(db, postbox)
    answer = await shop.post(
        "me/email", json={"email": "eve@example.com", "password": PERSON["password"]}, headers=bearer(mine)
    )
    assert answer.status_code == 202
    (letter,) = await letters(db, postbox)
    refused = await shop.post("me/email/confirm", json={"token": token_in(letter)}, headers=bearer(mine))
    assert (refused.status_code, refused.json()["code"]) == (409, "link_invalid")
    assert (await shop.get("me", headers=bearer(mine))).json()["customer"]["email"] == "ada@example.com"


async def log_in(shop, code: str | None = None, **change: Any):
    body = {"email": PERSON["email"], "password": PERSON["password"]} | change
    return await shop.post("auth/login", json=body | ({"code": code} if code else {}))


@pytest.fixture
async def factor(shop, frozen) -> dict[str, Any]:
    """Ada's second factor, confirmed: her app, her recovery codes, and her session."""
    tokens = await signed(shop)
    made = (await shop.post("me/second-factor", json={"password": PERSON["password"]}, headers=bearer(tokens))).json()
    app = pyotp.TOTP(made["secret"])
    assert made["uri"].startswith("otpauth://totp/")
    confirmed = await shop.post(
        "me/second-factor/confirm", json={"code": app.at(frozen.now)}, headers=bearer(tokens)
    )  # fmt: skip
    assert confirmed.status_code == 200, confirmed.text
    frozen.step()
    return {"app": app, "codes": confirmed.json()["recovery_codes"], "tokens": tokens}


@pytest.fixture
def frozen(monkeypatch):
    """A clock that stands until it is moved; it is behind, because tokens of the future are none."""

    class Frozen:
        now = clock.now() - timedelta(minutes=10)

        def step(self, seconds: float = 30) -> None:
            self.now += timedelta(seconds=seconds)

    one = Frozen()
    monkeypatch.setattr(clock, "now", lambda: one.now)
    return one


async def test_who_has_a_second_factor_needs_a_code_that_is_good_once(shop, factor, frozen):
    asked = await log_in(shop)
    assert (asked.status_code, asked.json()["code"]) == (401, "second_factor_required")
    wrong_password = await log_in(shop, factor["app"].at(frozen.now), password="not it at all")
    assert wrong_password.json()["code"] == "invalid_credentials"
    code = factor["app"].at(frozen.now)
    assert (await log_in(shop, code)).status_code == 200
    again = await log_in(shop, code)
    assert (again.status_code, again.json()["code"]) == (401, "second_factor_invalid")
    old = factor["app"].at(frozen.now - timedelta(seconds=30))
    assert (await log_in(shop, old)).json()["code"] == "second_factor_invalid", "a step that is past the used one"
    frozen.step()
    ahead = factor["app"].at(frozen.now + timedelta(seconds=30))
    assert (await log_in(shop, ahead)).status_code == 200, "clocks differ by a step"
    frozen.step(120)
    assert (await log_in(shop, factor["app"].at(frozen.now - timedelta(seconds=90)))).status_code == 401


async def test_recovery_codes_are_good_once_each(shop, factor):
    assert len(set(factor["codes"])) == 10
    code = factor["codes"][0]
    assert (await log_in(shop, code.lower())).status_code == 200
    assert (await log_in(shop, code)).json()["code"] == "second_factor_invalid"
    assert (await log_in(shop, factor["codes"][1].replace("-", ""))).status_code == 200


async def test_guessing_codes_costs_more_and_more_time(shop, factor, frozen):
    for _ in range(5):
        assert (await log_in(shop, "000000")).json()["code"] == "second_factor_invalid"
    right = factor["app"].at(frozen.now)
    assert (await log_in(shop, right)).json()["code"] == "second_factor_invalid", "the wait is one second"
    frozen.step(1)
    assert (await log_in(shop, "000000")).status_code == 401
    frozen.step(1)
    assert (await log_in(shop, factor["app"].at(frozen.now))).status_code == 401, "now it is two"
    frozen.step(1)
    assert (await log_in(shop, factor["app"].at(frozen.now))).status_code == 200
    assert (await log_in(shop, "000000")).status_code == 401
    frozen.step(30)
    assert (await log_in(shop, factor["app"].at(frozen.now))).status_code == 200, "the count began anew"


async def test_a_second_factor_is_taken_away_with_password_and_code(shop, factor, frozen):
    headers = bearer(factor["tokens"])
    there = await shop.post("me/second-factor", json={"password": PERSON["password"]}, headers=headers)
    assert (there.status_code, there.json()["code"]) == (409, "second_factor_exists")
    for body, code in (
        ({"password": "not it at all", "code": factor["app"].at(frozen.now)}, "invalid_credentials"),
        ({"password": PERSON["password"], "code": "000000"}, "second_factor_invalid"),
    ):
        answer = await shop.post("me/second-factor/drop", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    body = {"password": PERSON["password"], "code": factor["app"].at(frozen.now)}
    assert (await shop.post("me/second-factor/drop", json=body, headers=headers)).status_code == 204
    assert (await log_in(shop)).status_code == 200


async def test_a_secret_that_was_not_confirmed_changes_nothing(shop):
    tokens = await signed(shop)
    await shop.post("me/second-factor", json={"password": PERSON["password"]}, headers=bearer(tokens))
    wrong = await shop.post("me/second-factor/confirm", json={"code": "000000"}, headers=bearer(tokens))
    assert (wrong.status_code, wrong.json()["code"]) == (401, "second_factor_invalid")
    assert (await log_in(shop)).status_code == 200


async def test_staff_need_a_second_factor_in_production(settings, db, fake, shop, factor, frozen):
    async with db.tx() as tx:
        await tx.execute(PROMOTE)
    weak = (await renewed(shop, factor["tokens"]["refresh_token"])).json()
    strong = (await log_in(shop, factor["app"].at(frozen.now))).json()
    later = (await renewed(shop, strong["refresh_token"])).json()
    async with open_client(settings.replace(APP_ENV="production"), db, fake) as production:
        refused = await production.get("admin/orders", headers=bearer(weak))
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_needed")
        for tokens in (strong, later):
            assert (await production.get("admin/orders", headers=bearer(tokens))).status_code == 200
    assert (await shop.get("admin/orders", headers=bearer(weak))).status_code == 200


async def test_the_secret_of_an_app_is_not_in_the_database(shop, db, factor):
    async with db.read() as tx:
        kept = await tx.value(FACTORS)
    secret = base64.b32decode(factor["app"].secret).hex()
    assert secret not in kept
    for code in factor["codes"]:
        assert code.replace("-", "") not in kept
        assert code.replace("-", "").encode().hex() not in kept


async def test_a_reset_ends_what_a_thief_had_begun(shop, db, postbox):
    """A pending change of address, and an access token that is still good for minutes."""
    thief = await signed(shop)
    await letters(db, postbox)
    wish = {"email": "thief@evil.example", "password": PERSON["password"]}
    await shop.post("me/email", json=wish, headers=bearer(thief))
    (to_thief,) = await letters(db, postbox)
    await shop.post("auth/forgot-password", json={"email": PERSON["email"]})
    (to_ada,) = await letters(db, postbox)
    reset = {"token": token_in(to_ada), "password": "battery staple"}
    assert (await shop.post("auth/reset-password", json=reset)).status_code == 200
    confirmed = await shop.post("me/email/confirm", json={"token": token_in(to_thief)}, headers=bearer(thief))
    assert (confirmed.status_code, confirmed.json()["code"]) == (401, "sign_in_required")
    mine = await signed(shop, password="battery staple")
    spoilt = await shop.post("me/email/confirm", json={"token": token_in(to_thief)}, headers=bearer(mine))
    assert (spoilt.status_code, spoilt.json()["code"]) == (409, "link_invalid")
    for answer in (await shop.delete("me/sessions", headers=bearer(thief)),
                   await shop.put("me/password", json={"old": "battery staple", "new": "mine now!"},
                                  headers=bearer(thief))):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


async def test_a_sign_in_that_was_checked_before_a_reset_begins_nothing(shop, db, settings):
    await signed(shop)
    platform = platform_of(settings, db)
    caution = accounts.Caution(db, platform.passwords, SEALS, None)
    person, checked = await accounts.sign_in(
        caution, accounts.Caller("", ""), email=PERSON["email"], password=PERSON["password"]
    )
    tokens = await signed(shop)
    body = {"old": PERSON["password"], "new": "battery staple"}
    assert (await shop.put("me/password", json=body, headers=bearer(tokens))).status_code == 204
    with pytest.raises(InvalidCredentials):
        await db.transact(
            lambda tx: accounts.sessions.begin(tx, SEALS, person, checked, user_agent="", address="")
        )  # fmt: skip
    await platform.redis.close()
    platform.passwords.close()


async def test_two_changes_of_one_password_at_once_are_one(busy_shop):
    tokens = await signed(busy_shop)
    wishes = [
        busy_shop.put("me/password", json={"old": PERSON["password"], "new": f"password {n}"}, headers=bearer(tokens))
        for n in range(4)
    ]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*wishes)])
    assert statuses == [204, 401, 401, 401]


async def test_doing_without_a_second_factor_weakens_every_session(shop, db, factor, frozen):
    strong = (await log_in(shop, factor["app"].at(frozen.now))).json()
    frozen.step()
    body = {"password": PERSON["password"], "code": factor["app"].at(frozen.now)}
    assert (await shop.post("me/second-factor/drop", json=body, headers=bearer(strong))).status_code == 204
    renewed_token = (await renewed(shop, strong["refresh_token"])).json()["access_token"]
    assert "amr" not in jwt.decode(renewed_token, options={"verify_signature": False})


async def test_an_operator_takes_a_lost_second_factor_away(shop, db, factor):
    await db.transact(lambda tx: accounts.second_factor.drop_lost(tx, "ADA@example.com"))
    assert (await log_in(shop)).status_code == 200
    assert (await renewed(shop, factor["tokens"]["refresh_token"])).status_code == 401


async def test_a_wish_that_is_there_may_be_repeated_when_there_is_no_room(shop, db, monkeypatch):
    async with db.tx() as tx:
        lamp, shade = await some_products(tx, new_product(), new_product())
    me = bearer(await signed(shop))
    monkeypatch.setattr(accounts.book, "MOST_WISHES", 1)
    for wanted, status in ((lamp, 204), (lamp, 204), (shade, 409)):
        assert (await shop.put(f"me/wishlist/{wanted}", headers=me)).status_code == status


async def test_no_session_lasts_for_ever_however_often_it_is_renewed(shop):
    start = clock.now()
    with clock.held(start):
        token = (await signed(shop))["refresh_token"]
    for days in range(20, 200, 20):
        with clock.held(start + timedelta(days=days)):
            answer = await shop.post("auth/refresh", json={"refresh_token": token})
        if days >= 180:
            assert answer.json()["code"] == "refresh_token_invalid"
            break
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]


async def test_the_oldest_of_too_many_sessions_ends(shop):
    first = await signed(shop)
    for _ in range(50):
        tokens = await signed(shop)
    assert (await shop.post("auth/refresh", json={"refresh_token": first["refresh_token"]})).status_code == 401
    assert len((await shop.get("me/sessions", headers=bearer(tokens))).json()["items"]) == 50
