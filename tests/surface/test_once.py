"""Writes that add something, sent twice with one key: done once, answered the same; and what a key must not do."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.test_sending import three_lamps
from tests.surface.test_backoffice import staff
from tfmshop.platform.db import Query, broken

REFUNDS = Query("test.once_refunds", "SELECT coalesce(sum(amount), 0)::int FROM payments.refund")
KEYS = Query("test.once_keys", "SELECT count(*)::int FROM platform.idempotency_key WHERE scope LIKE '%refunds%'")


@pytest.fixture
async def order(busy_shop, wide_db) -> dict[str, Any]:
    """Three lamps of 10, paid and taken."""
    return await three_lamps(busy_shop, wide_db)


def keyed(headers: dict[str, str], key: str) -> dict[str, str]:
    return headers | {"Idempotency-Key": key}


async def test_a_refund_that_is_sent_again_is_one(busy_shop, wide_db, order):
    path, wish = f"admin/orders/{order['number']}/refunds", {"amount": 100, "why": "scratched"}
    me = staff()
    sent = [await busy_shop.post(path, json=wish, headers=keyed(me, "k")) for _ in range(3)]
    assert [one.status_code for one in sent] == [201, 201, 201], sent[0].text
    assert {one.content for one in sent} == {sent[0].content}
    assert [one.headers.get("idempotent-replayed") for one in sent] == [None, "true", "true"]
    other = await busy_shop.post(path, json=wish | {"amount": 200}, headers=keyed(me, "k"))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    for headers in (keyed(me, "another"), me, keyed(staff("support"), "k")):
        again = await busy_shop.post(path, json=wish, headers=headers)
        assert (again.status_code, "idempotent-replayed" in again.headers) == (201, False)
    async with wide_db.read() as tx:
        assert await tx.value(REFUNDS) == 400
        assert await broken(tx) == {}


async def test_what_is_sent_twice_at_once_is_done_once(busy_shop, wide_db, order):
    path, wish, me = f"admin/orders/{order['number']}/refunds", {"amount": 100, "why": "scratched"}, staff()
    sent = await asyncio.gather(*[busy_shop.post(path, json=wish, headers=keyed(me, "k")) for _ in range(8)])
    codes = {one.status_code for one in sent}
    assert codes <= {201, 409}
    assert 201 in codes
    assert {one.json()["code"] for one in sent if one.status_code == 409} <= {"request_in_progress"}
    async with wide_db.read() as tx:
        assert await tx.value(REFUNDS) == 100


async def test_what_failed_is_not_remembered(busy_shop, wide_db, order):
    path, me = f"admin/orders/{order['number']}/refunds", staff()
    wish = {"amount": 5000, "why": "scratched"}
    refused = await busy_shop.post(path, json=wish, headers=keyed(me, "k"))
    assert (refused.status_code, refused.json()["code"]) == (409, "refund_too_large")
    assert refused.json()["detail"].startswith("Only 30.00 USD of")
    async with wide_db.read() as tx:
        assert await tx.value(KEYS) == 0
    given = await busy_shop.post(path, json=wish | {"amount": 100}, headers=keyed(me, "k"))
    assert (given.status_code, "idempotent-replayed" in given.headers) == (201, False)


async def test_parcels_returns_and_lines_are_added_once(busy_shop, wide_db, order):
    me, mine = staff(), {"Order-Token": order["token"]}
    parcel = {"lines": [{"sku": "LAMP", "quantity": 1}]}
    sent = [await busy_shop.post(f"admin/orders/{order['number']}/shipments", json=parcel, headers=keyed(me, "p"))
            for _ in range(2)]  # fmt: skip
    assert [len(one.json()["shipments"]) for one in sent] == [1, 1]
    seen = (await busy_shop.get(f"orders/{order['id']}", headers=mine)).json()
    assert seen["lines"][0]["shipped"] == 1
    asked = [await busy_shop.post(f"orders/{order['id']}/returns", json=parcel, headers=keyed(mine, "r"))
             for _ in range(2)]  # fmt: skip
    assert [one.status_code for one in asked] == [201, 201], asked[0].text
    assert asked[0].content == asked[1].content
    cart = (await busy_shop.post("carts")).json()
    line = {"product_id": order["lines"][0]["product_id"], "quantity": 2}
    owner = {"Cart-Token": cart["token"]}
    added = [await busy_shop.post(f"carts/{cart['id']}/lines", json=line, headers=keyed(owner, "l")) for _ in range(2)]
    assert [one.json()["lines"][0]["quantity"] for one in added] == [2, 2]
    again = await busy_shop.post(f"carts/{cart['id']}/lines", json=line, headers=keyed(owner, uuid4().hex))
    assert again.json()["lines"][0]["quantity"] == 4
