"""Stories of what the shop knows of a person: given to them, and forgotten."""

from __future__ import annotations

import json
from uuid import UUID

import asyncpg
import pytest

from tests.client import ADDRESS
from tests.journeys.test_money import work_off
from tests.making import moved_by, new_product, some_products
from tests.surface.test_backoffice import staff
from tfmshop.commerce import accounts
from tfmshop.platform import ids, jobs
from tfmshop.platform.db import Query, broken

CANARIES = ("canary@example.com", "Canary Lane", "Canary Bird", "canary-work@example.com")
TABLES = """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'platform') ORDER BY 1"""
HELD = Query("test.all_held", "UPDATE jobs.pgqueuer SET status = 'failed' WHERE entrypoint = 'accounts.forgot'")
BEFORE = Query(
    "test.was_hers",
    """
WITH letter AS (
    INSERT INTO news.letter (reason, kind, recipient, subject, data, created_at)
    VALUES ('x', 'moved', 'Canary-Work@example.com', gen_random_uuid(), '{}', now())
)
INSERT INTO accounts.proof (id, customer_id, purpose, email, salt, created_at, expires_at, used_at)
SELECT $1, c.id, 'verify', $2, '', now(), now(), now() FROM accounts.customer AS c WHERE c.email = $3
""",
)
PUBLISH = Query("test.publish_all", "UPDATE reviews.review SET status = 'published'")


@pytest.fixture
async def person(busy_shop, wide_db, fake):
    """Somebody with a delivered order with an invoice, a review, a wish, an address, an open cart and letters."""
    moved_by(fake=fake)
    async with wide_db.tx() as tx:
        lamp, shade = await some_products(tx, new_product(sku="LAMP"), new_product(sku="SHADE"))
    body = {"email": CANARIES[0], "password": "correct horse", "name": CANARIES[2]}
    await busy_shop.post("auth/register", json=body)
    login = await busy_shop.post("auth/login", json={"email": CANARIES[0], "password": "correct horse"})
    me = {"Authorization": f"Bearer {login.json()['access_token']}"}
    address = ADDRESS | {"name": CANARIES[2], "line1": CANARIES[1]}
    await busy_shop.post("me/addresses", json={"address": address}, headers=me)
    await busy_shop.put(f"me/wishlist/{shade}", headers=me)
    cart = (await busy_shop.get("carts/mine", headers=me)).json()
    await busy_shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 1}, headers=me)
    order = (await busy_shop.post(
        f"carts/{cart['id']}/checkout", headers=me | {"Idempotency-Key": "k"},
        json={"payment": {"provider": "fake", "token": "ok"}, "address": address, "email": CANARIES[3]},
    )).json()  # fmt: skip
    await work_off(wide_db)
    again = (await busy_shop.get("carts/mine", headers=me)).json()
    await busy_shop.post(f"carts/{again['id']}/lines", json={"product_id": shade, "quantity": 1}, headers=me)
    await busy_shop.put(f"carts/{again['id']}/address", json=address, headers=me)
    review = {"rating": 4, "title": "Good", "body": "It lights up."}
    assert (await busy_shop.post(f"products/{lamp}/reviews", json=review, headers=me)).status_code == 201
    return {"me": me, "order": order, "lamp": lamp, "login": login.json()}


async def kept(url: str) -> dict[str, list[str]]:
    """In which tables which canaries are."""
    connection = await asyncpg.connect(url)
    found: dict[str, list[str]] = {}
    for (table,) in await connection.fetch(TABLES):
        text = await connection.fetchval(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t")
        if there := [canary for canary in CANARIES if canary.lower() in text.lower()]:
            found[table] = there
    await connection.close()
    return found


async def test_everything_that_is_known_is_given(busy_shop, person):
    known = (await busy_shop.get("me/export", headers=person["me"])).json()
    assert known["account"]["email"] == CANARIES[0]
    assert known["addresses"][0]["address"]["line1"] == CANARIES[1]
    assert [order["number"] for order in known["orders"]] == [person["order"]["number"]]
    assert [(one["rating"], one["body"]) for one in known["reviews"]] == [(4, "It lights up.")]
    assert (len(known["wishlist"]), len(known["sessions"])) == (1, 1)
    assert known["cart"]["address"]["line1"] == CANARIES[1]


async def test_what_ended_or_was_only_asked_for_is_given_too(busy_shop, wide_db, person):
    me, order = person["me"], person["order"]
    other = {"email": CANARIES[0], "password": "correct horse"}
    gone = (await busy_shop.post("auth/login", json=other, headers={"User-Agent": "an old phone"})).json()
    await busy_shop.post("auth/logout", json={"refresh_token": gone["refresh_token"]})
    await busy_shop.post("me/email", json={"email": "new@example.com", "password": "correct horse"}, headers=me)
    await busy_shop.post(f"admin/orders/{order['number']}/shipments", json={}, headers=staff())
    wish = {"lines": [{"sku": "LAMP", "quantity": 1}], "why": "too bright"}
    assert (await busy_shop.post(f"orders/{order['id']}/returns", json=wish, headers=me)).status_code == 201
    known = (await busy_shop.get("me/export", headers=me)).json()
    assert [one["why"] for one in known["returns"]] == ["too bright"]
    assert [one["email"] for one in known["asked_emails"]] == ["new@example.com"]
    assert [bool(one.get("ended_at")) for one in known["sessions"]] == [True, False]
    assert known["sessions"][0]["user_agent"] == "an old phone"
    assert (known["account"]["verified"], known["account"]["second_factor"]) == (False, False)


async def test_each_knows_their_own(busy_shop, person):
    other = await busy_shop.sign_in("eve@example.com")
    assert CANARIES[0] not in (await busy_shop.get("me/export", headers=other)).text
    assert (await busy_shop.get("me/export")).json()["code"] == "sign_in_required"


async def test_nobody_is_forgotten_while_an_order_is_under_way_or_without_the_password(busy_shop, person):
    early = await busy_shop.post("me/erase", json={"password": "correct horse"}, headers=person["me"])
    assert (early.status_code, early.json()["code"], early.json()["orders"]) == (409, "orders_under_way", 1)
    wrong = await busy_shop.post("me/erase", json={"password": "guessed it"}, headers=person["me"])
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    assert (await busy_shop.get("me", headers=person["me"])).status_code == 200


async def test_who_is_forgotten_is_nowhere_and_the_books_are_right(busy_shop, wide_db, fresh_url, person):
    path = f"admin/orders/{person['order']['number']}"
    await busy_shop.post(f"{path}/shipments", json={}, headers=staff())
    await busy_shop.post(f"{path}/deliver", headers=staff())
    wrote = await busy_shop.post(f"{path}/notes", json={"text": f"{CANARIES[2]} rang."}, headers=staff())
    assert wrote.status_code == 201
    wish = {"lines": [{"sku": "LAMP", "quantity": 1}], "why": f"{CANARIES[2]} of {CANARIES[1]} does not like it."}
    back = await busy_shop.post(f"orders/{person['order']['id']}/returns", json=wish, headers=person["me"])
    no = await busy_shop.post(f"admin/returns/{back.json()['id']}/refuse", json={"answer": "worn"}, headers=staff())
    assert no.status_code == 200
    await work_off(wide_db)
    assert {"news.event", "orders.note"} <= set(await kept(fresh_url))
    async with wide_db.tx() as tx:
        await jobs.events.publish(tx, "order.return_asked", UUID(person["order"]["id"]), {"why": CANARIES[1]})
    async with wide_db.tx() as tx:
        await tx.execute(PUBLISH)
        for email in (CANARIES[0], CANARIES[3], f"not-{CANARIES[0]}".replace("canary", "bird")):
            await jobs.enqueue(tx, "accounts.forgot", accounts.proofs.Asked(ids.new(), email))
        await tx.execute(HELD)
        await tx.execute(BEFORE, ids.new(), CANARIES[3], CANARIES[0])
    assert len(await kept(fresh_url)) >= 5
    gone = await busy_shop.post("me/erase", json={"password": "correct horse"}, headers=person["me"])
    assert gone.status_code == 204, gone.text
    await work_off(wide_db)
    assert await kept(fresh_url) == {}
    async with wide_db.tx() as tx:
        assert [one.jobs for one in await jobs.held(tx)] == [1], "of somebody else"
        await jobs.run_again(tx)
    await work_off(wide_db)
    order = (await busy_shop.get(path, headers=staff())).json()
    assert (order["total"], order["addresses"]["shipping"]["country"]) == (person["order"]["total"], "US")
    listed = (await busy_shop.get(f"products/{person['lamp']}/reviews")).json()["items"]
    assert [(one["author"], one["rating"]) for one in listed] == [("", 4)]
    async with wide_db.read() as tx:
        assert await broken(tx) == {}
    for answer in (
        await busy_shop.post("auth/login", json={"email": CANARIES[0], "password": "correct horse"}),
        await busy_shop.post("auth/refresh", json={"refresh_token": person["login"]["refresh_token"]}),
        await busy_shop.get("me", headers=person["me"]),
    ):
        assert answer.status_code == 401
    fresh = await busy_shop.sign_in(CANARIES[0])
    assert json.loads((await busy_shop.get("me/export", headers=fresh)).text)["orders"] == []
