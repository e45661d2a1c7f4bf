"""Money after it was promised: challenges, webhooks in any order, captures, refunds, cancelled orders."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.client import ADDRESS
from tests.conftest import open_client
from tests.journeys.test_offers import offer
from tests.making import a_product, moved_by, take_money
from tests.processes import tfmshop
from tests.servers import REDIS
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, orders, payments, promotions
from tfmshop.commerce.payments import FakeProvider, News, Notice, Payment, PaymentDeclined, Providers
from tfmshop.commerce.payments.fake import SECRET
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform import clock
from tfmshop.platform.db import Query, broken
from tfmshop.platform.jobs.queue import HANDLERS, LANES
from tfmshop.platform.security import webhooks

SHELF = Query("test.money_shelf", "SELECT sum(available)::int FROM inventory.stock")
CAPTURES = Query("test.money_captures", "SELECT count(*)::int FROM payments.capture")
REFUNDS = Query("test.money_refunds", "SELECT sum(amount)::int FROM payments.refund WHERE done_at IS NOT NULL")
JOBS = Query("test.money_jobs", "SELECT id, entrypoint, payload FROM jobs.pgqueuer WHERE status = 'queued' ORDER BY id")
DONE = Query("test.money_done", "DELETE FROM jobs.pgqueuer WHERE id = ANY($1)")
TOPICS = Query("test.money_topics", "SELECT topic FROM news.event ORDER BY number")
STAND = Query("test.money_stand", "SELECT status, payment_status FROM orders.placed WHERE id = $1")


@pytest.fixture
async def lamp(db) -> str:
    async with db.tx() as tx:
        return await a_product(tx, price=1000, stock=10)


@pytest.fixture(autouse=True)
def movers(fake):
    """The jobs that move money, with this test's provider."""
    moved_by(fake=fake)


async def work_off(db) -> list[str]:
    """Run every waiting job, twice as a queue may, and take it from the queue when it is done; the names."""
    ran: list[str] = []
    while True:
        async with db.read() as tx:
            waiting = await tx.rows(JOBS)
        if not waiting:
            return ran
        for id, name, payload in waiting:
            for _ in range(2):
                await HANDLERS[name](db, payload)
            async with db.tx() as tx:
                await tx.execute(DONE, [id])
            ran.append(name)


async def stand(db, order: str) -> tuple[str, str]:
    async with db.read() as tx:
        assert await broken(tx) == {}
        row = await tx.row(STAND, UUID(order))
        return row[0], row[1]


async def value(db, query: Query) -> Any:
    async with db.read() as tx:
        return await tx.value(query)


async def tell(shop, fake: FakeProvider, notice: Notice) -> int:
    headers, body = fake.webhook(notice)
    return (await shop.post("payments/fake/webhook", content=body, headers=headers)).status_code


async def test_money_is_taken_once_the_order_is_paid(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    assert await stand(db, order["id"]) == ("paid", "authorized")
    assert sorted(await work_off(db)) == ["news.letter", "news.spread", "orders.paid", "payments.capture"]
    assert await stand(db, order["id"]) == ("paid", "captured")
    assert (fake.taken(order["id"]), await value(db, CAPTURES)) == (2000, 1)


async def test_a_challenge_is_answered_and_the_same_request_gives_the_order(shop, db, fake, lamp):
    cart = await shop.cart_with((lamp, 2))
    asked = await shop.buy(cart, key="k", token="challenge")
    assert asked.status_code == 202, asked.text
    body = asked.json()
    assert body["code"] == "payment_action_required"
    again = await shop.buy(cart, key="k", token="challenge")
    assert (again.status_code, again.json()) == (202, body)
    assert await stand(db, body["order_id"]) == ("placed", "action_required")
    page = await shop.get(body["redirect_url"].removeprefix("/api/v1/"))
    assert (page.status_code, "Approve" in page.text) == (200, True)
    approved = await shop.post(f"fake-bank/{body['order_id']}/approve")
    assert "Approved" in approved.text
    assert await stand(db, body["order_id"]) == ("paid", "authorized")
    order = await shop.buy(cart, key="k", token="challenge")
    assert (order.status_code, order.json()["id"]) == (201, body["order_id"])
    replayed = await shop.buy(cart, key="k", token="challenge")
    assert (replayed.content, replayed.headers["idempotent-replayed"]) == (order.content, "true")
    seen = await shop.get(f"orders/{body['order_id']}", headers={"Order-Token": order.json()["token"]})
    assert seen.json()["payment_status"] == "authorized"
    assert [(one["status"], one["who"]) for one in seen.json()["history"]][-1] == ("paid", "payment")
    assert "Nothing is waiting" in (await shop.post(f"fake-bank/{body['order_id']}/approve")).text


async def test_a_challenge_that_is_refused_or_forgotten_gives_everything_back(shop, db, fake, lamp):
    refused, forgotten = await shop.cart_with((lamp, 2)), await shop.cart_with((lamp, 3))
    first = (await shop.buy(refused, key="a", token="challenge")).json()["order_id"]
    second = (await shop.buy(forgotten, key="b", token="challenge")).json()["order_id"]
    await shop.post(f"fake-bank/{first}/decline")
    assert await stand(db, first) == ("cancelled", "declined")
    told = await shop.buy(refused, key="a", token="challenge")
    assert (told.status_code, told.json()["code"]) == (402, "payment_declined")
    assert (await shop.buy(refused, key="a", token="challenge")).content == told.content
    assert (await shop.buy(refused, key="c")).status_code == 201
    assert (await checkout.sweep(db, Providers(fake=fake), timedelta(0))).released == 0
    assert (await checkout.sweep(db, Providers(fake=fake), timedelta(0), challenged=timedelta(0))).released == 1
    assert await stand(db, second) == ("cancelled", "voided")
    assert (await shop.buy(forgotten, key="b", token="challenge")).json()["code"] == "checkout_expired"
    assert await value(db, SHELF) == 8


async def test_the_webhook_may_come_first(shop, db, fake, lamp):
    order = await shop.buy(await shop.cart_with((lamp, 1)), token="late")
    assert order.status_code == 201, order.text
    seen = await shop.get(f"orders/{order.json()['id']}", headers={"Order-Token": order.json()["token"]})
    assert [step["status"] for step in seen.json()["history"]] == ["placed", "paid"]
    await work_off(db)
    assert await stand(db, order.json()["id"]) == ("paid", "captured")


async def test_webhooks_that_cannot_be_believed(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 1)), token="challenge")).json()["order_id"]
    notice = Notice(UUID(order), News.AUTHORIZED, "ref", 1000)
    headers, body = fake.webhook(notice)
    for wrong in (
        {}, headers | {"webhook-id": "other"}, headers | {"webhook-signature": "v1,AAAA"},
        headers | {"webhook-timestamp": "x"}, headers | {"webhook-signature": b"v1,\xc3\xa9"},
        webhooks.signed("a", clock.now() - timedelta(minutes=6), body, SECRET),
    ):  # fmt: skip
        answer = await shop.post("payments/fake/webhook", content=body, headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid"), wrong
    assert await stand(db, order) == ("placed", "action_required")
    assert await tell(shop, fake, Notice(UUID(order), News.AUTHORIZED, "ref", 999)) == 204
    assert await stand(db, order) == ("placed", "action_required")
    assert await tell(shop, fake, Notice(uuid4(), News.AUTHORIZED, "ref", 999)) == 204
    assert (await shop.post("payments/nobody/webhook", content=b"{}")).json()["code"] == "payment_provider_unknown"


async def test_a_payment_that_arrives_for_a_released_order_is_let_go(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 1)), token="challenge")).json()["order_id"]
    await checkout.sweep(db, Providers(fake=fake), timedelta(0), challenged=timedelta(0))
    await fake.confirm(order, approve=True)
    await work_off(db)
    assert await stand(db, order) == ("cancelled", "voided")
    assert (fake.promised(order), fake.taken(order), await value(db, SHELF)) == (None, 0, 10)


async def test_confirm_and_webhook_together_in_any_order(busy_shop, wide_db, fake):
    """R6, small: one capture and one order each, whatever comes when and how often."""
    source = random.Random(6)
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=100)

    async def one() -> None:
        cart = await busy_shop.cart_with((lamp, 1))
        key = uuid4().hex
        order = (await busy_shop.buy(cart, key=key, token="challenge")).json()["order_id"]
        fake.tell = None
        await fake.confirm(order, approve=True)
        authorized = fake.promised(order)
        notice = Notice(UUID(order), News.AUTHORIZED, authorized.reference, 1000)
        news = [notice] * source.randint(1, 3) + [Notice(UUID(order), News.CAPTURED, authorized.reference, 1000)]
        source.shuffle(news)
        told = [tell(busy_shop, fake, each) for each in news]
        bought, *statuses = await asyncio.gather(busy_shop.buy(cart, key=key, token="challenge"), *told)
        assert bought.status_code in {201, 409}, bought.text
        assert set(statuses) == {204}
        assert (await busy_shop.buy(cart, key=key, token="challenge")).status_code == 201

    await asyncio.gather(*[one() for _ in range(25)])
    await work_off(wide_db)
    async with wide_db.read() as tx:
        assert await broken(tx) == {}
        assert await tx.value(CAPTURES) == 25
        assert await tx.value(SHELF) == 75


async def test_refunds_in_parts_and_never_more_than_was_taken(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()["id"]

    async def refund(amount: int | None) -> int:
        given = await db.transact(
            lambda tx: checkout.ask_refund(tx, UUID(order), amount, who="staff", why="damaged")
        )  # fmt: skip
        return given.amount

    with pytest.raises(Exception, match="Nothing can be given back"):
        await refund(None)
    await work_off(db)
    assert await refund(1000) == 1000
    assert await stand(db, order) == ("paid", "partially_refunded")
    with pytest.raises(payments.RefundTooLarge):
        await refund(2001)
    assert await refund(None) == 2000
    await work_off(db)
    assert (fake.taken(order), await stand(db, order)) == (0, ("paid", "refunded"))
    with pytest.raises(Exception, match="Nothing can be given back"):
        await refund(None)


async def test_an_order_that_was_paid_back_before_it_was_sent_is_cancelled_and_its_goods_are_back(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    await work_off(db)
    async with db.tx() as tx:
        await checkout.ask_refund(tx, UUID(order["id"]), None, who="staff", why="we are closed")
    await work_off(db)
    assert (await stand(db, order["id"]), await value(db, SHELF)) == (("paid", "refunded"), 7)
    for step, body in (("pack", None), ("shipments", {})):
        refused = await shop.post(f"admin/orders/{order['number']}/{step}", json=body, headers=staff())
        assert (refused.status_code, refused.json()["code"]) == (409, "order_cannot_move"), step
    gone = await shop.post(f"admin/orders/{order['number']}/cancel", json={"why": "closed"}, headers=staff())
    assert gone.json()["status"] == "cancelled"
    await work_off(db)
    assert (await stand(db, order["id"]), await value(db, SHELF)) == (("cancelled", "refunded"), 10)
    assert await value(db, REFUNDS) == 3000


async def came_back(shop, db, fake, lamp) -> tuple[dict[str, Any], str]:
    """An order whose refund of 500 failed after it was made, and before the shop had noted that it was."""
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    await work_off(db)
    refund = fake.refund

    async def fails_at_once(payment, refund_key, amount):
        reference = await refund(payment, refund_key, amount)
        await fake.send_back(payment.key, refund_key, "the account is closed")
        return reference

    fake.refund = fails_at_once
    asked = await shop.post(
        f"admin/orders/{order['number']}/refunds", json={"why": "x", "amount": 500}, headers=staff()
    )
    await work_off(db)
    fake.refund = refund
    return order, f"admin/orders/{order['number']}/refunds/{asked.json()['refunds'][0]['id']}"


async def test_a_refund_that_came_back_is_given_again(shop, db, fake, lamp):
    order, path = await came_back(shop, db, fake, lamp)
    shown = (await shop.get(f"admin/orders/{order['number']}", headers=staff())).json()["refunds"]
    assert [(one["failed"], one["done_at"]) for one in shown] == [("the account is closed", None)]
    assert (await value(db, REFUNDS), fake.taken(order["id"])) == (None, 3000)
    other = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    refused = [
        await shop.post(path, json={}, headers=staff("catalog_manager")),
        await shop.post(path.replace(order["number"], other["number"]), json={}, headers=staff()),
        await shop.post(path.rpartition("/")[0] + f"/{uuid4()}", json={}, headers=staff()),
    ]
    assert [one.json()["code"] for one in refused] == ["not_allowed", "refund_not_found", "refund_not_found"]
    assert (await shop.post(path, json={}, headers=staff())).json()["refunds"][0]["failed"] is None
    twice = await shop.post(path, json={}, headers=staff())
    assert (twice.status_code, twice.json()["code"]) == (409, "refund_not_failed")
    await work_off(db)
    assert (await value(db, REFUNDS), fake.taken(order["id"])) == (500, 2500)
    assert await stand(db, order["id"]) == ("paid", "partially_refunded")


async def test_a_refund_that_came_back_is_noted_as_given_otherwise(shop, db, fake, lamp):
    order, path = await came_back(shop, db, fake, lamp)
    for blank in ("", " "):
        assert (await shop.post(path, json={"given": blank}, headers=staff())).status_code == 422
    seen = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert [one["failed"] for one in seen.json()["refunds"]] == [None], "why is not the buyer's"
    shown = (await shop.post(path, json={"given": "bank transfer 42"}, headers=staff())).json()
    assert (shown["history"][-1]["why"], shown["history"][-1]["status"]) == (
        "given back otherwise: bank transfer 42", "paid"
    )  # fmt: skip
    shown = shown["refunds"]
    assert [(one["failed"], one["done_at"] is None) for one in shown] == [(None, False)]
    await work_off(db)
    assert (await value(db, REFUNDS), fake.taken(order["id"])) == (500, 3000)
    async with db.read() as tx:
        told = [row[0] for row in await tx.rows(TOPICS)]
    assert told == ["order.paid", "order.refund_failed", "order.refunded"]


async def test_staff_note_by_command_how_a_refund_was_given(busy_shop, wide_db, fresh_url, fake, tmp_path):
    async with wide_db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    order, path = await came_back(busy_shop, wide_db, fake, lamp)
    settings = {"DATABASE_URL": fresh_url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(tmp_path)}
    shown = tfmshop("orders", "show", order["number"], cwd=tmp_path, **settings).stdout
    command = ["orders", "refund-again", order["number"], path.rpartition("/")[2]]
    assert f"that failed (the account is closed): tfmshop {' '.join(command)}" in " ".join(shown.split())
    blank = tfmshop(*command, "--given", " ", cwd=tmp_path, **settings)
    assert (blank.returncode, "--given is empty" in blank.stderr) == (1, True), "nobody meant to have it sent again"
    given = tfmshop(*command, "--given", "transfer 42", cwd=tmp_path, **settings)
    assert given.stdout == "The refund is noted as given.\n", given.stderr
    assert (await value(wide_db, REFUNDS), fake.taken(order["id"])) == (500, 3000)
    again = tfmshop(*command, cwd=tmp_path, **settings)
    assert (again.returncode, again.stderr) == (1, "The refund did not fail.\n")


async def test_a_refund_that_the_company_refuses_waits_for_staff(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    await work_off(db)
    refund = fake.refund

    async def refuses(*_):
        raise PaymentDeclined(reason="the charge is disputed")

    fake.refund = refuses
    path = f"admin/orders/{order['number']}/refunds"
    asked = (await shop.post(path, json={"why": "x", "amount": 500}, headers=staff())).json()["refunds"][0]
    await work_off(db)
    fake.refund = refund
    shown = (await shop.get(f"admin/orders/{order['number']}", headers=staff())).json()["refunds"]
    assert [(one["failed"], one["done_at"]) for one in shown] == [("the charge is disputed", None)]
    assert (await shop.post(f"{path}/{asked['id']}", json={}, headers=staff())).status_code == 200
    await work_off(db)
    assert (await value(db, REFUNDS), fake.taken(order["id"])) == (500, 2500)


@pytest.mark.parametrize("captured", [True, False])
async def test_a_cancelled_order_gives_back_stock_and_money(shop, db, fake, lamp, captured):
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    other = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    if captured:
        await work_off(db)
    path = f"orders/{order['id']}/cancel"
    foreign = await shop.post(path, headers={"Order-Token": other["token"]})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "order_not_found")
    gone = await shop.post(path, headers={"Order-Token": order["token"]})
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled"), gone.text
    again = await shop.post(path, headers={"Order-Token": order["token"]})
    assert (again.status_code, again.json()["code"]) == (409, "order_cannot_move")
    await work_off(db)
    assert await stand(db, order["id"]) == ("cancelled", "refunded" if captured else "voided")
    assert (fake.taken(order["id"]), fake.promised(order["id"]) is None or captured) == (0, True)
    assert await value(db, SHELF) == 9


async def test_a_journal_is_shared_by_processes(tmp_path):
    path = tmp_path / "journal.jsonl"
    web, worker = FakeProvider(path), FakeProvider(path)
    amount = Money(5, "EUR")
    payment = Payment("k", amount)
    first = await web.authorize(payment, "ok")
    assert await worker.find(payment) == first
    assert await worker.capture(payment) == await web.capture(payment) == first.reference
    assert web.taken("k") == 5
    assert await FakeProvider(path).refund(payment, "r", amount) == await web.refund(payment, "r", amount)
    assert worker.taken("k") == 0


async def sent(shop, db, lamp, units: int) -> tuple[dict[str, Any], dict[str, str]]:
    """An order whose money was taken and whose goods were sent, and its guest's headers."""
    order = (await shop.buy(await shop.cart_with((lamp, units)))).json()
    await work_off(db)
    async with db.tx() as tx:
        await orders.fulfil.ship(tx, UUID(order["id"]), None, carrier="", tracking="", who="staff")
    return order, {"Order-Token": order["token"]}


async def test_what_comes_back_is_paid_back_to_the_penny_and_stands_on_the_shelf(shop, db, fake, lamp):
    async with db.tx() as tx:
        await promotions.add(tx, offer(kind=promotions.Kind.FIXED, value=500, currency="USD"))
    order, token = await sent(shop, db, lamp, 3)
    assert order["total"]["amount"] == 2500
    for after in (833, 1666, 2500):
        wish = {"lines": [{"sku": order["lines"][0]["sku"], "quantity": 1}], "why": "too bright"}
        asked = (await shop.post(f"orders/{order['id']}/returns", json=wish, headers=token)).json()
        assert (await shop.get("admin/returns", headers=staff())).json()["items"] == [asked]
        received = await shop.post(
            f"admin/returns/{asked['id']}/receive", json={"restock": after != 1666}, headers=staff()
        )
        assert (received.status_code, received.json()["status"]) == (200, "received")
        again = await shop.post(f"admin/returns/{asked['id']}/receive", json={}, headers=staff())
        assert (again.status_code, again.json()["code"]) == (409, "return_decided")
        assert [name for name in await work_off(db) if not name.startswith("news.")] == ["payments.refund"]
        assert (await value(db, REFUNDS), fake.taken(order["id"])) == (after, 2500 - after)
    assert await value(db, SHELF) == 9
    assert (await stand(db, order["id"]))[1] == "refunded"
    listed = (await shop.get(f"orders/{order['id']}/returns", headers=token)).json()["items"]
    assert [one["status"] for one in listed] == ["received"] * 3
    act = (await shop.get(f"admin/audit?subject={order['number']}&limit=1", headers=staff())).json()["items"][0]
    assert (act["action"], act["before"]["return"], act["after"]["return"]) == ("returns.receive", "asked", "received")
    assert [back["amount"]["amount"] for back in act["after"]["refunds"]] == [833, 833, 834]
    assert "too bright" not in str(act), "the log cannot forget what a buyer wrote"


async def test_what_a_customer_bought_is_told_to_them_and_to_staff(shop, db, lamp):
    ada = await shop.sign_in("ada@example.com")
    for stays in (True, False):
        cart = (await shop.get("carts/mine", headers=ada)).json()["id"]
        await shop.post(f"carts/{cart}/lines", json={"product_id": lamp, "quantity": 2}, headers=ada)
        body = {"payment": {"provider": "fake", "token": "ok"}, "address": ADDRESS}
        order = (await shop.post(f"carts/{cart}/checkout", json=body, headers=ada | {"Idempotency-Key": cart})).json()
        if not stays:
            assert (await shop.post(f"orders/{order['id']}/cancel", headers=ada)).status_code == 200
        await work_off(db)
    mine = await shop.get("me/statistics", headers=ada)
    (usd,) = mine.json()["items"]
    assert (usd["orders"], usd["spent"]) == (1, {"amount": 2000, "currency": "USD"})
    me = (await shop.get("me", headers=ada)).json()["customer"]["id"]
    assert (await shop.get(f"admin/customers/{me}/statistics", headers=staff())).json() == mine.json()
    missing = await shop.get(f"admin/customers/{order['id']}/statistics", headers=staff())
    assert (missing.status_code, missing.json()["code"]) == (404, "account_not_found")
    eve = await shop.sign_in("eve@example.com")
    assert (await shop.get("me/statistics", headers=eve)).json() == {"items": []}


def test_jobs_that_move_money_wait_for_no_others(fake):
    moved_by(fake=fake)
    money = {"orders.paid", "payments.capture", "payments.refund", "checkout.let_go"}
    assert {name for name, lane in LANES.items() if lane == "money"} == money


async def test_only_what_was_sent_and_is_not_on_its_way_can_come_back(shop, db, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 3)))).json()
    token, sku = {"Order-Token": order["token"]}, order["lines"][0]["sku"]

    async def ask(units: int, headers=token):
        wish = {"lines": [{"sku": sku, "quantity": units}]}
        return await shop.post(f"orders/{order['id']}/returns", json=wish, headers=headers)

    early = await ask(1)
    assert (early.status_code, early.json()["code"], early.json()["left"]) == (409, "cannot_return", 0)
    await take_money(db)
    async with db.tx() as tx:
        await orders.fulfil.ship(tx, UUID(order["id"]), {sku: 2}, carrier="", tracking="", who="staff")
    assert (await ask(1, {})).json()["code"] == "order_not_found"
    first = await ask(1)
    assert (await ask(2)).json()["left"] == 1
    refused = await shop.post(f"admin/returns/{first.json()['id']}/refuse", json={"answer": "worn"}, headers=staff())
    assert (refused.json()["status"], refused.json()["answer"]) == ("refused", "worn")
    assert (await ask(2)).status_code == 201
    missing = await shop.post(f"admin/returns/{uuid4()}/refuse", json={"answer": "no"}, headers=staff())
    assert (missing.status_code, missing.json()["code"]) == (404, "return_not_found")


@pytest.mark.parametrize("captured", [False, True])
async def test_a_late_decline_of_a_paid_order_changes_nothing(shop, db, fake, lamp, captured):
    order = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    if captured:
        await work_off(db)
    assert await tell(shop, fake, Notice(UUID(order["id"]), News.DECLINED, "", 2000)) == 204
    await work_off(db)
    assert await stand(db, order["id"]) == ("paid", "captured")
    assert (fake.taken(order["id"]), await value(db, SHELF)) == (2000, 8)


async def test_an_order_whose_company_holds_its_money_no_more_is_cancelled_and_told(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    await fake.void(Payment(order["id"], Money(2000, "USD")))
    assert await tell(shop, fake, Notice(UUID(order["id"]), News.DECLINED, "", 2000)) == 204
    await work_off(db)
    assert await stand(db, order["id"]) == ("cancelled", "voided")
    assert await value(db, SHELF) == 10
    async with db.read() as tx:
        assert [row[0] for row in await tx.rows(TOPICS)] == ["order.paid", "order.cancelled"]


class Elsewhere:
    """The fake company, which is asked while something else happens."""

    def __init__(self, company, find) -> None:
        self._company, self.find = company, find

    def __getattr__(self, name):
        return getattr(self._company, name)


async def test_a_buyer_who_was_told_paid_is_not_released_by_a_sweep_that_asked_before(
    shop, db, fake, lamp, monkeypatch
):
    cart, authorize, first = await shop.cart_with((lamp, 1)), fake.authorize, [True]

    async def silent_once(payment, token):
        if first.pop() if first else False:
            raise TimeoutError
        return await authorize(payment, token)

    monkeypatch.setattr(fake, "authorize", silent_once)
    assert (await shop.buy(cart, key="k")).status_code == 503
    told = {}

    async def find(payment):
        found = fake.promised(payment.key)
        told.update((await shop.buy(cart, key="k")).json())
        return found

    swept = await checkout.sweep(db, Providers(fake=Elsewhere(fake, find)), timedelta(0))
    assert (told["status"], swept.released) == ("paid", 0)
    await work_off(db)
    assert await stand(db, told["id"]) == ("paid", "captured")


async def test_a_challenge_that_is_answered_during_a_sweep_wins(shop, db, fake, lamp):
    cart = await shop.cart_with((lamp, 1))
    order = (await shop.buy(cart, key="k", token="challenge")).json()["order_id"]

    async def find(payment):
        found = fake.promised(payment.key)
        await fake.confirm(order, approve=True)
        return found

    await checkout.sweep(db, Providers(fake=Elsewhere(fake, find)), timedelta(0), challenged=timedelta(0))
    assert (await stand(db, order))[0] == "paid"
    assert (await shop.buy(cart, key="k", token="challenge")).status_code == 201


async def test_news_of_a_capture_after_the_cancel_does_not_give_back_twice(shop, db, fake, lamp):
    order = (await shop.buy(await shop.cart_with((lamp, 2)))).json()
    await work_off(db)
    reference = fake.promised(order["id"]).reference
    await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    assert await tell(shop, fake, Notice(UUID(order["id"]), News.CAPTURED, reference, 2000)) == 204
    async with db.read() as tx:
        assert "checkout.let_go" not in [row["entrypoint"] for row in await tx.rows(JOBS)]
    await work_off(db)
    assert (fake.taken(order["id"]), await value(db, REFUNDS)) == (0, 2000)


async def test_an_order_that_its_company_chokes_on_does_not_stop_the_sweeper(shop, db, fake, lamp):
    stuck, other = [
        (await shop.buy(await shop.cart_with((lamp, 1)), token="challenge")).json()["order_id"] for _ in range(2)
    ]

    async def find(payment):
        if payment.key == stuck:
            raise PaymentDeclined(reason="amount too small")
        return fake.promised(payment.key)

    swept = await checkout.sweep(db, Providers(fake=Elsewhere(fake, find)), timedelta(0), challenged=timedelta(0))
    assert (swept.released, swept.put_off) == (1, 1)
    assert ((await stand(db, stuck))[0], (await stand(db, other))[0]) == ("placed", "cancelled")


async def test_a_company_cannot_speak_of_orders_of_another(settings, db, fake, lamp):
    async with open_client(settings, db, fake, also=FakeProvider()) as shop:
        bought = await shop.buy(await shop.cart_with((lamp, 1)), payment={"provider": "also", "token": "challenge"})
        order = bought.json()["order_id"]
        for news in (News.AUTHORIZED, News.CAPTURED, News.DECLINED):
            assert await tell(shop, fake, Notice(UUID(order), news, "forged", 1000)) == 204
            assert (await stand(db, order))[0] == "placed"


async def test_what_costs_nothing_is_bought_without_a_company(shop, db, fake, lamp):
    async with db.tx() as tx:
        await promotions.add(tx, offer(value=10_000))
    order = (await shop.buy(await shop.cart_with((lamp, 1)))).json()
    assert (order["status"], order["total"]["amount"], fake.calls) == ("paid", 0, [])
    await work_off(db)
    assert await stand(db, order["id"]) == ("paid", "captured")
    gone = await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    assert gone.json()["status"] == "cancelled"
    await work_off(db)
    async with db.read() as tx:
        assert await broken(tx) == {}


async def test_money_that_is_held_after_a_decline_was_told_is_let_go(shop, db, fake, lamp, monkeypatch):
    authorize = fake.authorize

    async def after_a_decline(payment, token):
        assert await tell(shop, fake, Notice(UUID(payment.key), News.DECLINED, "", 1000)) == 204
        return await authorize(payment, token)

    monkeypatch.setattr(fake, "authorize", after_a_decline)
    answer = await shop.buy(await shop.cart_with((lamp, 1)))
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")
    assert fake.promised(fake.calls[0]) is not None
    await work_off(db)
    assert fake.promised(fake.calls[0]) is None


async def test_a_company_that_does_not_say_what_it_holds_is_asked_again(shop, db, fake, lamp, monkeypatch):
    order = (await shop.buy(await shop.cart_with((lamp, 1)))).json()

    async def silent(payment):
        raise TimeoutError

    monkeypatch.setattr(fake, "find", silent)
    assert await tell(shop, fake, Notice(UUID(order["id"]), News.DECLINED, "", 1000)) == 503
    assert await stand(db, order["id"]) == ("paid", "authorized")
