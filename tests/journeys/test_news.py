"""Stories of what the world is told: letters through a real mail server, webhooks to a real receiver."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from importlib import import_module
from uuid import UUID

import certifi
import pytest
import trustme

from tests.making import a_product, take_money
from tests.receivers import Receiver, listening
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, inventory, news, orders
from tfmshop.commerce.news.deliver import deliver
from tfmshop.commerce.news.errors import NewsNotKnown, NotDelivered
from tfmshop.commerce.news.letters import send
from tfmshop.commerce.news.store import CLAIM
from tfmshop.platform import clock, codec, jobs
from tfmshop.platform.db import Query, broken
from tfmshop.platform.jobs import HANDLERS, SCHEDULES
from tfmshop.platform.mail import CannotSend
from tfmshop.platform.outgoing import NoReply, NotAllowedThere, Outgoing
from tfmshop.platform.security.webhooks import verify

TAKE = Query("test.take_jobs", "DELETE FROM jobs.pgqueuer WHERE entrypoint = ANY($1) RETURNING entrypoint, payload, id")
OLDEN = Query("test.olden", "UPDATE news.delivery SET asked_at = now() - interval '4 days'")
EVENTS_LEFT = Query("test.events_left", "SELECT number FROM jobs.event")
SECRET = Query("test.secret", "SELECT secret FROM news.endpoint")
SENDER = news.Sender("Lamp & Co", "https://lamps.example")


@pytest.fixture
async def receiver():
    async with listening("/hooks?x=1") as one:
        yield one


async def spread(db) -> list[tuple[str, bytes]]:
    """Spread what happened; the deliveries and letters that wait."""
    async with db.tx() as tx:
        due = sorted(await tx.rows(TAKE, ["news.spread"]), key=lambda row: row["id"])
    for row in due:
        await HANDLERS["news.spread"](db, row["payload"])
    async with db.tx() as tx:
        found = sorted(await tx.rows(TAKE, ["news.deliver", "news.letter"]), key=lambda row: row["id"])
        return [(row["entrypoint"], row["payload"]) for row in found]


async def an_order(shop, db, **more) -> dict:
    async with db.tx() as tx:
        lamp = await a_product(tx, title="Lamp <b>&</b>", price=1999)
    answer = await shop.buy(await shop.cart_with((lamp, 2)), **more)
    assert answer.status_code == 201
    return answer.json()


async def letters_of(db, box, due) -> None:
    for name, payload in due:
        if name == "news.letter":
            await send(db, box.mailer, SENDER, codec.decode(payload)["reason"])


async def test_a_buyer_gets_letters_once_each(shop, db, postbox):
    order = await an_order(shop, db)
    due = await spread(db)
    await letters_of(db, postbox, due)
    await letters_of(db, postbox, due)
    await take_money(db)
    async with db.tx() as tx:
        id = await orders.browse.id_of(tx, order["number"])
        await orders.fulfil.ship(tx, id, None, carrier="Post", tracking="TR<1>", who="test")
    await letters_of(db, postbox, await spread(db))
    confirmation, shipped = postbox.letters
    assert (confirmation["to"], confirmation["from"]) == ("a@example.com", "Lamp & Co <shop@lamps.example>")
    assert confirmation["subject"] == f"Your order {order['number']} at Lamp & Co"
    text, html = (confirmation.get_body(preferencelist=(kind,)).get_content() for kind in ("plain", "html"))
    assert "2 x Lamp <b>&</b>" in text
    assert "39.98 USD" in text
    assert "Lamp &lt;b&gt;&amp;&lt;/b&gt;" in html
    assert "TR<1>" in shipped.get_body(preferencelist=("plain",)).get_content()
    assert "TR&lt;1&gt;" in shipped.get_body(preferencelist=("html",)).get_content()
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_what_an_older_runner_does_not_know_waits_for_a_newer_one(shop, db, postbox, monkeypatch):
    order = await an_order(shop, db)
    async with db.tx() as tx:
        await jobs.events.publish(tx, "order.gift_wrapped", UUID(order["id"]), {})
        (due,) = {row["payload"] for row in await tx.rows(TAKE, ["news.spread"])}
    with pytest.raises(NewsNotKnown, match=r"order\.gift_wrapped"):
        await HANDLERS["news.spread"](db, due)
    known = (*news.TOPICS, "order.gift_wrapped")
    monkeypatch.setattr(import_module("tfmshop.commerce.news.spread"), "TOPICS", known)
    await HANDLERS["news.spread"](db, due)
    async with db.read() as tx:
        assert await tx.rows(EVENTS_LEFT) == []
    async with db.tx() as tx:
        letters = [row["payload"] for row in await tx.rows(TAKE, ["news.letter"])]
    assert len(letters) == 1


async def test_a_letter_waits_for_its_server_and_one_for_nobody_is_given_up(shop, db, postbox):
    await an_order(shop, db)
    due = await spread(db)
    postbox.closed = True
    with pytest.raises(CannotSend):
        await letters_of(db, postbox, due)
    postbox.closed = False
    await letters_of(db, postbox, due)
    assert len(postbox.letters) == 1
    await an_order(shop, db, email="nobody@example.com")
    await letters_of(db, postbox, await spread(db))
    assert len(postbox.letters) == 1


async def test_a_cart_left_behind_is_spoken_of_once(shop, db, postbox):
    async with db.tx() as tx:
        lamp = await a_product(tx, title="Lamp")
    cart = await shop.cart_with((lamp, 3))
    await shop.put(f"carts/{cart['id']}/email", json={"email": "b@example.com"}, headers={"Cart-Token": cart["token"]})
    async with db.tx() as tx:
        assert await news.remind(tx, timedelta(hours=1)) == 0
        assert await news.remind(tx, timedelta(hours=-1)) == 1
        assert await news.remind(tx, timedelta(hours=-1)) == 0
    await letters_of(db, postbox, await spread(db))
    assert "3 x Lamp" in postbox.letters[0].get_body(preferencelist=("plain",)).get_content()


async def test_a_customers_cart_left_behind_is_spoken_of_without_an_address_in_it(shop, db, postbox):
    async with db.tx() as tx:
        lamp = await a_product(tx, title="Lamp")
    person = await shop.sign_in("ada@example.com")
    cart = (await shop.get("carts/mine", headers=person)).json()
    await shop.post(f"carts/{cart['id']}/lines", json={"product_id": lamp, "quantity": 3}, headers=person)
    async with db.tx() as tx:
        assert await news.remind(tx, timedelta(hours=-1)) == 1
        assert await news.remind(tx, timedelta(hours=-1)) == 0
    await letters_of(db, postbox, await spread(db))
    assert [letter["To"] for letter in postbox.letters if "Lamp" in letter.as_string()] == ["ada@example.com"]


async def test_a_program_is_told_in_order_signed_and_again_when_it_failed(shop, db, receiver, fake):
    outgoing = Outgoing(private=True)
    async with db.tx() as tx:
        endpoint = await news.endpoints.add(tx, outgoing, receiver.url, [])
        other = await news.endpoints.add(tx, outgoing, receiver.url, ["order.refunded"])
        secret = (await tx.rows(SECRET))[0]["secret"]
    order = await an_order(shop, db)
    async with db.tx() as tx:
        id = await orders.browse.id_of(tx, order["number"])
        await checkout.cancel(tx, id, who="test", why="no more")
    await spread(db)
    receiver.status = 500
    for _ in range(2):
        with pytest.raises(NotDelivered):
            await deliver(db, outgoing, endpoint.id, id)
    receiver.status = 302
    with pytest.raises(NotDelivered):
        await deliver(db, outgoing, endpoint.id, id)
    assert receiver.topics == ["order.paid"] * 3
    receiver.status = 204
    await deliver(db, outgoing, endpoint.id, id)
    await deliver(db, outgoing, endpoint.id, id)
    await deliver(db, outgoing, other.id, id)
    assert receiver.topics == [*["order.paid"] * 4, "order.cancelled"]
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 2
    for headers, body in receiver.heard:
        verify(headers, body, secret)
    told = codec.decode(receiver.heard[0][1])["data"]
    assert (told["number"], told["total"]) == (order["number"], {"amount": 3998, "currency": "USD"})
    listed = (await shop.get(f"admin/webhooks/{endpoint.id}/deliveries", headers=staff())).json()["items"]
    assert [(one["topic"], one["status"], one["attempts"]) for one in listed] == [
        ("order.cancelled", "delivered", 1), ("order.paid", "delivered", 4),
    ]  # fmt: skip
    again = await shop.post(
        f"admin/webhooks/{endpoint.id}/replay", headers=staff(),
        json={"since": (clock.now() - timedelta(days=1)).isoformat()},
    )  # fmt: skip
    assert again.json() == {"messages": 2}
    await deliver(db, outgoing, endpoint.id, id)
    assert receiver.topics[-2:] == ["order.paid", "order.cancelled"]


async def test_what_a_killed_runner_was_at_is_brought_by_the_next(busy_shop, wide_db, receiver, monkeypatch):
    outgoing = Outgoing(private=True)
    async with wide_db.tx() as tx:
        endpoint = await news.endpoints.add(tx, outgoing, receiver.url, [])
    order = await an_order(busy_shop, wide_db)
    await spread(wide_db)
    async with wide_db.tx() as tx:
        id = await orders.browse.id_of(tx, order["number"])
    async with wide_db.tx() as tx:
        assert await tx.row(CLAIM, endpoint.id, id, timedelta(seconds=1))
    await deliver(wide_db, outgoing, endpoint.id, id)
    assert receiver.topics == ["order.paid"]


async def test_a_receiver_that_fails_for_days_does_not_hold_up_what_comes_later(shop, db, receiver):
    outgoing = Outgoing(private=True)
    async with db.tx() as tx:
        endpoint = await news.endpoints.add(tx, outgoing, receiver.url, [])
    order = await an_order(shop, db)
    await spread(db)
    receiver.status = 500
    async with db.tx() as tx:
        id = await orders.browse.id_of(tx, order["number"])
        await tx.execute(OLDEN)
    await deliver(db, outgoing, endpoint.id, id)
    async with db.read() as tx:
        assert [one.status for one in await news.endpoints.deliveries(tx, endpoint.id, limit=5)] == ["given_up"]


@pytest.mark.parametrize("url", [
    "http://example.com/", "https://user:pass@example.com/", "ftp://example.com/", "https://", "https://[::1", "x",
])  # fmt: skip
async def test_some_addresses_are_refused_by_their_looks(shop, url):
    answer = await shop.post("admin/webhooks", json={"url": url}, headers=staff())
    assert (answer.status_code, answer.json()["code"]) == (403, "address_not_allowed")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]",
                                  "0.0.0.0", "192.168.1.1", "[fec0::1]", "192.88.99.1", "192.0.0.8", "[3fff::1]",
                                  "[64:ff9b::a00:1]", "[2002:a00:1::]"])  # fmt: skip
async def test_nothing_is_sent_into_a_private_network(host):
    with pytest.raises(NotAllowedThere):
        await Outgoing().post(f"https://{host}/", b"{}", {})


async def test_webhooks_are_added_listed_and_removed(shop):
    wrong = await shop.post("admin/webhooks", json={"url": "https://a.example/", "topics": ["x"]}, headers=staff())
    assert (wrong.status_code, wrong.json()["code"]) == (422, "topic_unknown")
    body = {"url": "https://a.example/hooks", "topics": ["order.paid"]}
    made = (await shop.post("admin/webhooks", json=body, headers=staff())).json()
    assert made["secret"].startswith("whsec_")
    listed = (await shop.get("admin/webhooks", headers=staff())).json()["items"]
    assert listed == [{key: value for key, value in made.items() if key != "secret"}]
    assert (await shop.delete(f"admin/webhooks/{made['id']}", headers=staff())).status_code == 204
    gone = await shop.delete(f"admin/webhooks/{made['id']}", headers=staff())
    assert (gone.status_code, gone.json()["code"]) == (404, "webhook_not_found")


async def test_so_many_webhooks_and_no_more(shop, monkeypatch):
    monkeypatch.setattr(news.endpoints, "MOST_ENDPOINTS", 2)
    body = {"url": "https://a.example/hooks", "topics": []}
    made = [await shop.post("admin/webhooks", json=body, headers=staff()) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert made[2].json()["code"] == "too_many_webhooks"
    await shop.delete(f"admin/webhooks/{made[0].json()['id']}", headers=staff())
    assert (await shop.post("admin/webhooks", json=body, headers=staff())).status_code == 201


async def test_a_webhook_that_is_off_is_told_nothing_until_it_is_on_again(shop, db, receiver):
    outgoing = Outgoing(private=True)
    async with db.tx() as tx:
        endpoint = await news.endpoints.add(tx, outgoing, receiver.url, ["order.paid"])
    order = await an_order(shop, db)
    await spread(db)
    path = f"admin/webhooks/{endpoint.id}"
    off = await shop.patch(path, json={"active": False}, headers=staff())
    assert (off.status_code, off.json()["active"], "secret" in off.json()) == (200, False, False)
    await deliver(db, outgoing, endpoint.id, order["id"])
    later = await an_order(shop, db)
    await spread(db)
    waiting = await shop.get(f"{path}/deliveries?status=waiting", headers=staff())
    assert [(one["subject"], one["attempts"]) for one in waiting.json()["items"]] == [
        (later["id"], 0), (order["id"], 0),
    ]  # fmt: skip
    assert receiver.topics == []
    assert (await shop.patch(path, json={"active": True}, headers=staff())).json()["active"]
    async with db.tx() as tx:
        due = [codec.decode(row["payload"]) for row in await tx.rows(TAKE, ["news.deliver"])]
    for one in due:
        await deliver(db, outgoing, one["endpoint_id"], one["subject"])
    assert receiver.topics == ["order.paid", "order.paid"]
    event = waiting.json()["items"][1]["event"]
    listed = await shop.get(f"{path}/deliveries?before={event + 1}&status=delivered", headers=staff())
    assert [one["event"] for one in listed.json()["items"]] == [event]
    assert (await shop.get(f"{path}/deliveries?before={event}", headers=staff())).json()["items"] == []
    missing = await shop.patch(f"admin/webhooks/{order['id']}", json={"active": True}, headers=staff())
    assert (missing.status_code, missing.json()["code"]) == (404, "webhook_not_found")


@pytest.mark.parametrize(("name", "trusted", "taken"), [
    ("localhost", True, True), ("other.example", True, False), ("localhost", False, False),
])  # fmt: skip
async def test_a_receiver_must_prove_by_tls_who_it_is(tmp_path, monkeypatch, name, trusted, taken):
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(server_side)
    known = tmp_path / "authorities.pem"
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(known)
    monkeypatch.setattr(certifi, "where", lambda: str(known))
    one = Receiver()
    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=server_side)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        if taken:
            assert (await Outgoing(private=True).post(url, b"{}", {})).status == 204
            assert one.heard[0][0]["host"] == url.removeprefix("https://").removesuffix("/hooks")
        else:
            with pytest.raises(NoReply):
                await Outgoing(private=True).post(url, b"{}", {})
            assert one.heard == []
    finally:
        server.close()


async def test_staff_are_written_to_when_stock_runs_low(shop, db, postbox):
    async with db.tx() as tx:
        await a_product(tx, sku="LAMP", stock=3)
        await inventory.set_rules(tx, "LAMP", "main", backorder_limit=None, low_at=5)
    await SCHEDULES["inventory.low"].task(db)
    await SCHEDULES["inventory.low"].task(db)
    async with db.tx() as tx:
        (subject,) = [codec.decode_as(row["payload"], UUID) for row in await tx.rows(TAKE, ["news.spread"])]
        await news.spread(tx, subject, "shelves@lamps.example")
        due = [(row["entrypoint"], row["payload"]) for row in await tx.rows(TAKE, ["news.letter"])]
    await letters_of(db, postbox, due)
    (letter,) = postbox.letters
    assert (letter["to"], letter["subject"]) == ("shelves@lamps.example", "Stock is low: 1 level")
    assert "3  LAMP in main" in letter.get_body(preferencelist=("plain",)).get_content()
    assert "LAMP" in letter.get_body(preferencelist=("html",)).get_content()
