"""Buyers who break off: a lost answer is found by its letter, and who leaves the payment page keeps the cart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.client import ADDRESS
from tests.conftest import SEALS
from tests.journeys.test_money import SHELF, movers, stand, value, work_off
from tests.journeys.test_news import spread
from tests.journeys.test_offers import offer
from tests.making import new_product, some_products
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, news, promotions
from tfmshop.commerce.cart import closing
from tfmshop.commerce.news.letters import ToSend, send
from tfmshop.commerce.payments import Providers
from tfmshop.platform import codec
from tfmshop.platform.db import Query, broken
from tfmshop.platform.security.seals import Seals

__all__ = ["movers"]
NO_TOKEN = Query("test.no_token", "UPDATE orders.placed SET token_hash = NULL")
RUN_OUT = Query("test.run_out", "UPDATE cart.cart SET expires_at = now() - interval '1 hour'")


class Kept:
    """A mailer that keeps what it was given."""

    def __init__(self) -> None:
        self.letters = []

    async def send(self, letter) -> None:
        self.letters.append(letter)


@pytest.fixture
async def goods(db) -> list[str]:
    async with db.tx() as tx:
        await promotions.add(tx, offer("TENTH"))
        return await some_products(tx, *[new_product(title=name, price=1000, stock=10) for name in ("Lamp", "Lid")])


async def letters_of(db, sender: news.Sender) -> list:
    """The letters that wait, as they would be sent."""
    kept = Kept()
    for name, payload in await spread(db):
        if name == "news.letter":
            await send(db, kept, sender, codec.decode_as(payload, ToSend).reason)
    return kept.letters


async def test_a_guest_whose_answer_was_lost_finds_the_order_by_the_letter(shop, db, fake, goods):
    lost = await shop.buy(await shop.cart_with((goods[0], 1)))
    order, token = lost.json()["id"], lost.json()["token"]
    (letter,) = await letters_of(db, news.Sender("Lamps", "https://lamps.example", seals=SEALS))
    number = lost.json()["number"]
    link = f"https://lamps.example/orders/{number}#token={token}"
    assert link in letter.text
    assert f'href="{link}"' in letter.html
    seen = await shop.get(f"orders/number/{number}", headers={"Order-Token": token})
    assert seen.json()["id"] == order
    assert (await shop.get(f"orders/number/{number}", headers={"Order-Token": token[:-1] + "A"})).status_code == 404
    assert (await shop.post(f"orders/{order}/cancel", headers={"Order-Token": token})).json()["status"] == "cancelled"


async def test_without_an_address_of_the_shop_the_letter_has_the_token_alone(shop, db, goods):
    token = (await shop.buy(await shop.cart_with((goods[0], 1)))).json()["token"]
    (letter,) = await letters_of(db, news.Sender("Lamps", seals=SEALS))
    assert f"this code: {token}" in letter.text
    assert "#token" not in letter.text


async def test_a_letter_has_no_token_that_opens_nothing(shop, db, goods):
    await shop.buy(await shop.cart_with((goods[0], 1)))
    (letter,) = await letters_of(db, news.Sender("Lamps", "https://lamps.example", seals=Seals("another secret")))
    assert "/orders/" not in letter.text
    who = await shop.sign_in("ada@example.com")
    cart = (await shop.get("carts/mine", headers=who)).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": goods[0]}, headers=who)
    await letters_of(db, news.Sender("Lamps", seals=SEALS))
    body = {"payment": {"provider": "fake", "token": "ok"}, "address": ADDRESS}
    bought = await shop.post(f"carts/{cart['id']}/checkout", json=body, headers=who | {"Idempotency-Key": "1"})
    assert "token" not in bought.json()
    (letter,) = await letters_of(db, news.Sender("Lamps", "https://lamps.example", seals=SEALS))
    assert "/orders/" not in letter.text


async def test_who_is_settled_by_the_shop_has_the_same_token(shop, db, fake, goods):
    """The answer was lost, the sweeper settled: the same request and the letter give one token."""
    cart = await shop.cart_with((goods[0], 1))
    asked = (await shop.buy(cart, key="k", token="challenge")).json()
    await shop.post(f"fake-bank/{asked['order_id']}/approve")
    (letter,) = await letters_of(db, news.Sender("Lamps", seals=SEALS))
    answered = (await shop.buy(cart, key="k", token="challenge")).json()
    assert answered["token"] == asked["token"]
    assert answered["token"] in letter.text


async def test_an_order_of_the_release_before_gets_a_token_that_opens_it(shop, db, fake, goods):
    """That release gave tokens when orders were paid, and forgot them where the sweeper did that."""
    cart = await shop.cart_with((goods[0], 1))
    asked = (await shop.buy(cart, key="k", token="challenge")).json()
    async with db.tx() as tx:
        await tx.execute(NO_TOKEN)
    await shop.post(f"fake-bank/{asked['order_id']}/approve")
    answered = (await shop.buy(cart, key="k", token="challenge")).json()
    seen = await shop.get(f"orders/{answered['id']}", headers={"Order-Token": answered["token"]})
    assert seen.status_code == 200
    async with db.tx() as tx:
        await tx.execute(NO_TOKEN)
    (letter,) = await letters_of(db, news.Sender("Lamps", seals=SEALS))
    assert answered["token"] in letter.text
    seen = await shop.get(f"orders/{answered['id']}", headers={"Order-Token": answered["token"]})
    assert seen.status_code == 200


async def test_who_got_the_letter_of_another_sees_nothing_once_the_address_is_right(shop, db, goods):
    order = (await shop.buy(await shop.cart_with((goods[0], 1)), email="wrong@example.com")).json()
    await letters_of(db, news.Sender("Lamps", seals=SEALS))
    path = f"admin/orders/{order['number']}"
    await shop.patch(path, json={"address": ADDRESS | {"line1": "2 Side Street"}}, headers=staff())
    assert (await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})).status_code == 200
    assert await letters_of(db, news.Sender("Lamps", seals=SEALS)) == []
    await shop.patch(path, json={"email": "right@example.com"}, headers=staff())
    assert (await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})).status_code == 404
    (letter,) = await letters_of(db, news.Sender("Lamps", seals=SEALS))
    token = letter.text.partition("this code: ")[2].split()[0]
    assert (letter.recipient, token != order["token"]) == ("right@example.com", True)
    assert (await shop.get(f"orders/{order['id']}", headers={"Order-Token": token})).status_code == 200


async def test_a_letter_that_waited_does_not_go_to_the_wrong_address_any_more(shop, db, goods):
    order = (await shop.buy(await shop.cart_with((goods[0], 1)), email="wrong@example.com")).json()
    waiting = [codec.decode_as(payload, ToSend).reason for name, payload in await spread(db) if name == "news.letter"]
    path = f"admin/orders/{order['number']}"
    await shop.patch(path, json={"email": "right@example.com"}, headers=staff())
    kept = Kept()
    for reason in waiting:
        await send(db, kept, news.Sender("Lamps", seals=SEALS), reason)
    assert kept.letters == []
    (letter,) = await letters_of(db, news.Sender("Lamps", seals=SEALS))
    assert letter.recipient == "right@example.com"
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_a_cart_that_is_open_again_is_not_dropped_at_once(shop, db, fake, goods):
    cart = await shop.cart_with((goods[0], 1))
    asked = (await shop.buy(cart, token="challenge")).json()
    async with db.tx() as tx:
        await tx.execute(RUN_OUT)
    await shop.post(f"orders/{asked['order_id']}/cancel", headers={"Order-Token": asked["token"]})
    async with db.tx() as tx:
        assert await closing.drop_expired(tx) == 0
    assert await letters_of(db, news.Sender("Lamps", seals=SEALS)) == [], "nobody knew of that order"
    assert (await shop.buy(cart)).status_code == 201


async def test_a_guest_gives_up_a_challenge_and_the_cart_is_open(shop, db, fake, goods):
    cart = await shop.cart_with((goods[0], 3))
    asked = (await shop.buy(cart, key="k", token="challenge")).json()
    assert (await shop.buy(cart, key="other")).json()["code"] == "cart_ordered"
    mine = {"Order-Token": asked["token"]}
    assert (await shop.get(f"orders/{asked['order_id']}", headers=mine)).json()["status"] == "placed"
    assert (await shop.post(f"orders/{asked['order_id']}/cancel", headers=mine)).status_code == 200
    assert await value(db, SHELF) == 20
    assert (await shop.buy(cart, key="k", token="challenge")).json()["code"] == "checkout_expired"
    assert (await shop.buy(cart, key="new")).status_code == 201
    await shop.post(f"fake-bank/{asked['order_id']}/approve")
    await work_off(db)
    assert await stand(db, asked["order_id"]) == ("cancelled", "voided")
    assert fake.promised(asked["order_id"]) is None


@pytest.mark.parametrize("currency", ["USD", "EUR"])
async def test_what_a_customer_did_not_pay_for_goes_into_the_cart_they_opened_since(shop, db, fake, goods, currency):
    who = await shop.sign_in("ada@example.com")
    old = (await shop.get("carts/mine", headers=who)).json()["id"]
    for product, quantity in zip(goods, (2, 3), strict=True):
        line = {"product_id": product, "quantity": quantity}
        await shop.post(f"carts/{old}/lines", json=line, headers=who)
    await shop.put(f"carts/{old}/coupon", json={"code": "TENTH"}, headers=who)
    body = {"payment": {"provider": "fake", "token": "challenge"}, "address": ADDRESS}
    asked = await shop.post(f"carts/{old}/checkout", json=body, headers=who | {"Idempotency-Key": "1"})
    assert asked.json()["token"] is None
    new = (await shop.get(f"carts/mine?currency={currency}", headers=who)).json()["id"]
    assert new != old
    if currency == "USD":
        await shop.post(f"carts/{new}/lines", json={"product_id": goods[0], "quantity": 1}, headers=who)
    swept = await checkout.sweep(db, Providers(fake=fake), timedelta(0), challenged=timedelta(0))
    assert swept.released == 1
    mine = (await shop.get("carts/mine", headers=who)).json()
    assert mine["id"] == new
    found = {line["product_id"]: line["quantity"] for line in mine["lines"]}
    assert found == ({goods[0]: 2, goods[1]: 3} if currency == "USD" else {}), "of what is in both, the larger number"
    assert (mine["coupon"], mine["address"]) == (("TENTH", ADDRESS) if currency == "USD" else (None, None))
    assert (await stand(db, asked.json()["order_id"]))[0] == "cancelled"
