"""What staff find, note and change of orders, people and webhooks: only what they read, and many at once."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from uuid import UUID, uuid4

import pytest

from tests.making import a_product, take_money
from tests.surface.test_access import belongings
from tests.surface.test_backoffice import staff
from tests.surface.test_shopkeeping import audit
from tfmshop.commerce import orders
from tfmshop.platform.errors import TookTooLong
from tfmshop.surface.http.backoffice import bulk


async def some_orders(shop, db, fake, count: int) -> list[dict]:
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=100)
    bought = [(await shop.buy(await shop.cart_with((lamp, 2)))).json() for _ in range(count)]
    await take_money(db)
    return bought


async def found(shop, **wanted: str) -> list[str]:
    answer = await shop.get("admin/orders", params=wanted, headers=staff("support"))
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()["items"]]


async def test_orders_are_found_by_number_address_account_and_moment(shop, db, fake):
    numbers = [one["number"] for one in await some_orders(shop, db, fake, 3)]
    everything = (await shop.get("admin/orders", headers=staff())).json()["items"]
    assert [one["number"] for one in everything] == numbers[::-1]
    assert await found(shop, q=f" {numbers[1].lower()} ") == [numbers[1]]
    assert await found(shop, q=everything[0]["email"].upper()) == numbers[::-1]
    assert await found(shop, q=everything[0]["email"], status="cancelled") == []
    assert await found(shop, q=numbers[1], status="paid") == [numbers[1]]
    assert await found(shop, q=numbers[1], status="cancelled") == []
    assert (
        await found(shop, q="no such number")
        == await found(shop, q=str(uuid4()))
        == await found(shop, q="a@")
        == await found(shop, q="%")
        == []
    )
    first, second, third = (one["placed_at"] for one in everything[::-1])
    assert await found(shop, since=second) == [numbers[2], numbers[1]]
    assert await found(shop, until=second) == [numbers[0]]
    assert await found(shop, since=first, until=third, status="paid") == [numbers[1], numbers[0]]
    assert await found(shop, since=third, until=first) == []
    page = (await shop.get("admin/orders", params={"limit": 1, "until": third}, headers=staff())).json()
    assert await found(shop, until=third, cursor=page["next_cursor"]) == [numbers[0]]


async def test_the_orders_of_an_account_are_found_by_its_id(shop, db):
    me = await shop.sign_in("me@example.com")
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=5)
    number = (await belongings(shop, me, str(lamp)))["number"]
    id = (await shop.get("admin/customers?q=me@", headers=staff())).json()["items"][0]["id"]
    assert await found(shop, q=id) == await found(shop, q=id.upper()) == [number]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-01-01T00:00:00Z"])
async def test_any_moment_that_can_be_said_is_answered(shop, moment):
    assert await found(shop, since=moment) == await found(shop, until=moment) == []


@pytest.mark.parametrize("wanted", [
    {"since": "2026-05-04T00:00:00"}, {"until": "2026-05-04"}, {"since": "x"}, {"q": "x" * 255},
])  # fmt: skip
async def test_half_a_moment_is_refused(shop, wanted):
    answer = await shop.get("admin/orders", params=wanted, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_staff_write_notes_for_each_other_and_the_buyer_never_sees_them(shop, db, fake):
    order = (await some_orders(shop, db, fake, 1))[0]
    path = f"admin/orders/{order['number']}/notes"
    assert (await shop.get(path, headers=staff())).json() == {"items": [], "next_cursor": None}
    notes = [(await shop.post(path, json={"text": text}, headers=staff("support"))) for text in ("Rang twice.", "é 🚚")]
    assert [one.status_code for one in notes] == [201, 201]
    assert (await shop.get(path, headers=staff())).json()["items"] == [one.json() for one in notes[::-1]]
    page = (await shop.get(f"{path}?limit=1", headers=staff())).json()
    assert page["items"] == [notes[1].json()]
    rest = (await shop.get(f"{path}?limit=1&cursor={page['next_cursor']}", headers=staff())).json()
    assert rest == {"items": [notes[0].json()], "next_cursor": None}
    entry = await audit(shop)
    assert (entry["action"], entry["after"]) == ("orders.note", {"note": notes[1].json()["id"]})
    mine = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert mine.status_code == 200
    assert "Rang twice" not in mine.text
    for wrong in ({"text": ""}, {"text": " "}, {"text": "x" * 2001}, {}, {"text": "x", "who": "me"}):
        assert (await shop.post(path, json=wrong, headers=staff())).status_code == 422
    nowhere = await shop.post("admin/orders/NOWHERE/notes", json={"text": "x"}, headers=staff())
    assert nowhere.json()["code"] == "order_not_found"


async def test_an_order_is_changed_only_as_it_was_read(shop, db, fake):
    number = (await some_orders(shop, db, fake, 1))[0]["number"]
    path = f"admin/orders/{number}"
    read = await shop.get(path, headers=staff())
    held = {"If-Match": read.headers["etag"]}
    changed = await shop.patch(path, json={"email": "b@example.com"}, headers=staff() | held)
    assert changed.status_code == 200, changed.text
    late = await shop.patch(path, json={"email": "c@example.com"}, headers=staff() | held)
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    now = await shop.get(path, headers=staff())
    assert now.json()["email"] == "b@example.com"
    assert now.headers["etag"] == changed.headers["etag"] != held["If-Match"]
    for tag in (f"W/{now.headers['etag']}", "*"):
        body = {"email": f"{len(tag)}@example.com"}
        again = await shop.patch(path, json=body, headers=staff() | {"If-Match": tag})
        assert again.status_code == 200, again.text
    for wrong in ("1", '"', '""', '"a b"'):
        refused = await shop.patch(path, json={"email": "d@example.com"}, headers=staff() | {"If-Match": wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_of_two_who_read_the_same_one_changes_it(busy_shop, wide_db, fake):
    """Orders, people and webhooks: whoever comes second has to read again."""
    number = (await some_orders(busy_shop, wide_db, fake, 1))[0]["number"]
    await busy_shop.sign_in("me@example.com")
    person = (await busy_shop.get("admin/customers?q=me@", headers=staff())).json()["items"][0]["id"]
    hook = (await busy_shop.post("admin/webhooks", json={"url": "https://a.example/"}, headers=staff())).json()["id"]
    for shown, bodies in (
        (f"orders/{number}", [{"email": f"{n}@example.com"} for n in range(4)]),
        (f"customers/{person}", [{"is_active": False, "why": "x"}] * 4),
        (f"webhooks/{hook}", [{"active": False}] * 4),
    ):
        tag = (await busy_shop.get(f"admin/{shown}", headers=staff())).headers["etag"]
        answers = await asyncio.gather(*(
            busy_shop.patch(f"admin/{shown}", json=body, headers=staff() | {"If-Match": tag}) for body in bodies
        ))  # fmt: skip
        assert sorted(one.status_code for one in answers) == [200, 412, 412, 412], (shown, [a.text for a in answers])
        assert {one.json()["code"] for one in answers if one.status_code == 412} == {"changed_meanwhile"}


async def test_a_role_is_given_only_to_who_was_looked_at(shop):
    await shop.sign_in("me@example.com")
    person = (await shop.get("admin/customers?q=me@", headers=staff())).json()["items"][0]["id"]
    tag = (await shop.get(f"admin/customers/{person}", headers=staff())).headers["etag"]
    await shop.sign_in("me@example.com")
    assert (await shop.get(f"admin/customers/{person}", headers=staff())).headers["etag"] == tag
    closed = await shop.patch(f"admin/customers/{person}", json={"is_active": False, "why": "x"}, headers=staff())
    given = await shop.put(
        f"admin/customers/{person}/role", json={"role": "customer"}, headers=staff() | {"If-Match": tag}
    )
    assert (given.status_code, given.json()["code"]) == (412, "changed_meanwhile")
    held = {"If-Match": closed.headers["etag"]}
    given = await shop.put(f"admin/customers/{person}/role", json={"role": "customer"}, headers=staff() | held)
    assert given.status_code == 200, given.text


async def test_many_people_are_closed_each_on_their_own(shop):
    for n in range(3):
        await shop.sign_in(f"me{n}@example.com")
    people = (await shop.get("admin/customers?q=me", headers=staff())).json()["items"]
    mine = [one["id"] for one in people]
    boss = (await shop.get("admin/customers?role=admin", headers=staff())).json()["items"][0]["id"]
    ids = [mine[0], str(uuid4()), boss, mine[1]]
    body = {"ids": ids, "is_active": False, "why": "asked for it"}
    answer = await shop.post("admin/customers/bulk", json=body, headers=staff("support"))
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [one["id"] for one in items] == ids
    assert [one.get("is_active", one.get("code")) for one in items] == [
        False, "account_not_found", "not_allowed", False,
    ]  # fmt: skip
    assert (await audit(shop))["subject"] == mine[1]
    states = [(await shop.get(f"admin/customers/{id}", headers=staff())).json()["is_active"] for id in [*mine, boss]]
    assert states == [False, False, True, True]
    for wrong in (body | {"ids": []}, body | {"ids": ids * 26}, body | {"why": ""}, body | {"ids": ["x"]}):
        assert (await shop.post("admin/customers/bulk", json=wrong, headers=staff())).status_code == 422
    mine = await shop.post("admin/customers/bulk", json=body | {"ids": [mine[2], boss]}, headers=staff())
    assert (mine.status_code, mine.json()["code"]) == (422, "invalid_request")


async def test_many_webhooks_are_switched_each_on_its_own(shop):
    made = [
        (await shop.post("admin/webhooks", json={"url": f"https://{n}.example/"}, headers=staff())).json()["id"]
        for n in range(2)
    ]
    ids = [made[0], str(uuid4()), made[1]]
    answer = await shop.post("admin/webhooks/bulk", json={"ids": ids, "active": False}, headers=staff())
    assert [one.get("active", one.get("code")) for one in answer.json()["items"]] == [False, "webhook_not_found", False]
    listed = (await shop.get("admin/webhooks", headers=staff())).json()["items"]
    assert [one["active"] for one in listed] == [False, False]
    shown = await shop.get(f"admin/webhooks/{made[0]}", headers=staff())
    assert shown.json() == listed[0]
    missing = await shop.get(f"admin/webhooks/{uuid4()}", headers=staff())
    assert missing.json()["code"] == "webhook_not_found"


async def test_one_that_takes_too_long_stops_no_other_and_the_rest_is_told_of_in_time(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 2.0, 99.0])
    monkeypatch.setattr(bulk, "monotonic", lambda: next(clock))

    async def change(key: int) -> str:
        if key == 1:
            raise TookTooLong
        return f"{key} changed"

    said = await bulk.each([0, 1, 2, 3, 4], change, lambda key, error: f"{key} {error.code}")
    assert said == ["0 changed", "1 took_too_long", "2 changed", "3 took_too_long", "4 took_too_long"]


async def test_a_note_of_a_buyer_who_is_being_forgotten_is_refused(busy_shop, wide_db, fake):
    me = await busy_shop.sign_in("me@example.com")
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=5)
    number = (await belongings(busy_shop, me, str(lamp)))["number"]
    id = UUID((await busy_shop.get("admin/customers?q=me@", headers=staff())).json()["items"][0]["id"])
    path = f"admin/orders/{number}/notes"
    outside = copy_context()
    async with wide_db.tx() as tx:
        await orders.forget.erase(tx, id)
        asked = busy_shop.post(path, json={"text": "Ada rang."}, headers=staff())
        late = asyncio.create_task(asked, context=outside)
        assert not (await asyncio.wait([late], timeout=0.3))[0]
    assert ((await late).status_code, (await late).json()["code"]) == (409, "cannot_edit")
    assert (await busy_shop.get(path, headers=staff())).json()["items"] == []
