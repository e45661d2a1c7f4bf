"""Buying with Stripe, whose stand-in is localstripe behind a front that can lose answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests import stripes
from tests.conftest import open_client
from tests.journeys.test_buying import AGE_LEASES, state
from tests.journeys.test_money import stand, work_off
from tests.journeys.test_offers import offer
from tests.making import a_product, moved_by
from tests.surface.test_backoffice import staff
from tfmshop.commerce import checkout, promotions
from tfmshop.commerce.payments import Payment, PaymentDeclined, Providers
from tfmshop.commerce.payments.stripe import StripeProvider
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform.db import Query

TOLD = Query("test.stripe_told", "SELECT count(*)::int FROM news.event WHERE topic = $1")
GOOD, DECLINING, ASKING = "4242424242424242", "4000000000000341", "4000002500003155"


@pytest.fixture(scope="module")
async def stand_in():
    async with stripes.running() as stand_in:
        yield stand_in


@pytest.fixture
async def bank(stand_in):
    await stand_in.begin_anew()
    return stand_in


@pytest.fixture
async def provider(bank):
    provider = StripeProvider(stripes.KEY, stripes.SECRET, "https://shop.example/done", bank.url)
    yield provider
    await provider.close()


@pytest.fixture
def providers(provider) -> Providers:
    """The shop's one company, to which the jobs speak."""
    return moved_by(stripe=provider)


@pytest.fixture
async def shop(settings, db, provider, providers):
    async with open_client(settings, db, provider, "stripe") as client:
        yield client


@pytest.fixture
async def cart(shop, db) -> dict[str, Any]:
    """A cart with two lamps of 10 each."""
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
    return await shop.cart_with((lamp, 2))


async def pay(shop, cart, card: str, key: str = "k"):
    return await shop.buy(cart, key=key, payment={"provider": "stripe", "token": card})


async def test_money_is_held_taken_and_given_back_in_parts(shop, db, bank, provider, cart):
    answer = await pay(shop, cart, await bank.card(GOOD))
    order = answer.json()
    assert (answer.status_code, order["status"], order["payment_status"]) == (201, "paid", "authorized"), answer.text
    intent = await bank.intent(order["id"])
    assert (intent["status"], intent["amount"], intent["currency"]) == ("requires_capture", 2000, "usd")
    await work_off(db)
    assert (await bank.intent(order["id"]))["status"] == "succeeded"
    assert await stand(db, order["id"]) == ("paid", "captured")
    assert bank.asked["capture"] == 1
    async with db.tx() as tx:
        await checkout.ask_refund(tx, order["id"], 500, who="staff", why="scratched")
        await checkout.ask_refund(tx, order["id"], 500, who="staff", why="scratched more")
    await work_off(db)
    assert await bank.back(order["id"]) == [500, 500]
    assert await stand(db, order["id"]) == ("paid", "partially_refunded")
    assert (await pay(shop, cart, await bank.card(GOOD), key="again")).json()["code"] == "cart_ordered"


@pytest.mark.parametrize("card", [DECLINING, "unknown"])
async def test_a_card_that_says_no_leaves_the_cart_open(shop, db, bank, cart, card):
    token = await bank.card(card) if card == DECLINING else "pm_nobody"
    answer = await pay(shop, cart, token)
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined"), answer.text
    assert (await pay(shop, cart, token)).content == answer.content
    assert bank.asked["confirm"] == 1
    assert await state(db) == (10, {"cancelled": 1})
    assert (await pay(shop, cart, await bank.card(GOOD), key="other card")).status_code == 201


async def test_a_token_of_another_kind_is_refused_before_anything_is_written(shop, db, bank, cart):
    for token in ("ok", "pm_", "pm_x y", "pm_" + "x" * 300, "tok_visa", "pm_x\n"):
        answer = await pay(shop, cart, token)
        assert answer.status_code in (400, 409), answer.text
        assert answer.json()["code"] in {"payment_token_unknown", "invalid_request"}
    assert (await state(db), bank.asked.total()) == ((10, {}), 0)


async def test_an_answer_lost_on_the_way_charges_once(shop, db, bank, cart):
    card = await bank.card(GOOD)
    bank.lose.update({"payment_intents": 1, "confirm": 1})
    answer = await pay(shop, cart, card)
    assert (answer.status_code, bank.asked["payment_intents"], bank.asked["confirm"]) == (201, 2, 2), answer.text
    bank.lose["capture"] = 1
    await work_off(db)
    assert (await bank.intent(answer.json()["id"]))["status"] == "succeeded"


async def test_a_company_that_falls_silent_is_asked_again(shop, db, bank, providers, cart):
    """All answers are lost: 503, and the same request gives the order, or else the sweeper does."""
    card = await bank.card(GOOD)
    bank.lose["confirm"] = 3
    lost = await pay(shop, cart, card)
    assert (lost.status_code, lost.json()["code"]) == (503, "payment_unknown")
    answer = await pay(shop, cart, card)
    assert (answer.status_code, answer.json()["status"]) == (201, "paid"), answer.text
    await work_off(db)
    assert (await checkout.sweep(db, providers, timedelta(0))).settled == 0
    assert await state(db) == (8, {"paid": 1})


@pytest.mark.parametrize("confirmed", [True, False])
async def test_the_sweeper_settles_what_was_confirmed_and_cancels_what_was_not(
    shop, db, bank, providers, cart, confirmed
):
    card = await bank.card(GOOD)
    bank.lose["confirm" if confirmed else "payment_intents"] = 3
    assert (await pay(shop, cart, card)).status_code == 503
    swept = await checkout.sweep(db, providers, timedelta(0))
    assert (swept.settled, swept.released, swept.put_off) == (confirmed, not confirmed, 0)
    await work_off(db)
    assert await state(db) == ((8, {"paid": 1}) if confirmed else (10, {"cancelled": 1}))
    (intent,) = (await bank.ask("GET", "/v1/payment_intents"))["data"]
    assert intent["status"] == ("succeeded" if confirmed else "canceled")
    async with db.tx() as tx:
        await tx.execute(AGE_LEASES)
    again = await pay(shop, cart, card)
    assert again.status_code == (201 if confirmed else 409)


async def test_a_confirmation_after_the_payment_was_let_go_is_declined(bank, provider):
    payment = Payment(str(uuid4()), Money(700, "EUR"))
    await provider.void(payment)
    await provider.void(payment)
    with pytest.raises(PaymentDeclined):
        await provider.authorize(payment, await bank.card(GOOD))
    assert (await provider.find(payment), (await bank.intent(payment.key))["status"]) == (None, "canceled")


async def test_what_was_taken_for_a_payment_that_is_let_go_goes_back(bank, provider):
    payment = Payment(str(uuid4()), Money(700, "EUR"))
    await provider.authorize(payment, await bank.card(GOOD))
    for _ in range(2):
        await provider.capture(payment)
    for _ in range(2):
        await provider.void(payment)
    assert (bank.asked["capture"], await bank.back(payment.key)) == (1, [700])


async def test_a_refund_is_found_again_after_stripe_forgot_its_key(bank, provider):
    payment = Payment(str(uuid4()), Money(700, "EUR"))
    authorization = await provider.authorize(payment, await bank.card(GOOD))
    await provider.capture(payment)
    later = Payment(payment.key, payment.amount, authorization.reference)
    first = await provider.refund(later, "r", Money(200, "EUR"))
    bank.forget()
    assert await provider.refund(later, "r", Money(200, "EUR")) == first
    assert await bank.back(payment.key) == [200]


async def test_the_buyer_says_yes_at_the_bank(shop, db, bank, cart):
    card = await bank.card(ASKING)
    asked = await pay(shop, cart, card)
    assert (asked.status_code, asked.json()["redirect_url"]) == (202, f"{bank.url}/bank"), asked.text
    assert (await pay(shop, cart, card)).status_code == 202
    await bank.say_yes(asked.json()["order_id"])
    answer = await pay(shop, cart, card)
    assert (answer.status_code, answer.json()["status"]) == (201, "paid"), answer.text
    assert await state(db) == (8, {"paid": 1})


async def test_the_buyer_says_no_at_the_bank(shop, db, bank, cart):
    card = await bank.card(ASKING)
    asked = await pay(shop, cart, card)
    await bank.say_yes(asked.json()["order_id"], yes=False)
    answer = await pay(shop, cart, card)
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")
    assert await state(db) == (10, {"cancelled": 1})


async def tell(shop, bank, type: str, intent: dict[str, Any], secret: str = stripes.SECRET) -> int:
    headers, body = bank.event(type, intent, secret)
    return (await shop.post("payments/stripe/webhook", content=body, headers=headers)).status_code


async def test_webhooks_settle_an_order_whose_buyer_did_not_come_back(shop, db, bank, cart):
    card = await bank.card(ASKING)
    order = (await pay(shop, cart, card)).json()["order_id"]
    await bank.say_yes(order)
    intent = await bank.intent(order) | {"amount_capturable": 2000}
    assert await tell(shop, bank, "payment_intent.amount_capturable_updated", intent, "whsec_guessed") == 401
    assert await tell(shop, bank, "payment_intent.amount_capturable_updated", intent | {"amount_capturable": 1}) == 204
    assert await state(db) == (8, {"placed": 1})
    for _ in range(2):
        assert await tell(shop, bank, "payment_intent.amount_capturable_updated", intent) == 204
    assert await state(db) == (8, {"paid": 1})
    await work_off(db)
    taken = await bank.intent(order) | {"amount_received": 2000}
    assert await tell(shop, bank, "payment_intent.succeeded", taken) == 204
    assert await stand(db, order) == ("paid", "captured")
    assert bank.asked["capture"] == 1


async def test_webhooks_of_other_things_are_nothing_to_us(shop, db, bank):
    for type, thing in [("customer.created", {"id": "cus_1"}), ("payment_intent.succeeded", {"id": "pi_1"}),
                        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"order_id": "10023"}}),
                        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"tfmshop_order_id": "10023"}}),
                        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"tfmshop_order_id": str(uuid4())}}),
                        ]:  # fmt: skip
        assert await tell(shop, bank, type, thing) == 204
    headers, body = bank.event("x", {})
    for spoiled in ({}, {"Stripe-Signature": ""}, {"Stripe-Signature": "t=1,v1=0"}):
        answer = await shop.post("payments/stripe/webhook", content=body, headers=spoiled)
        assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")
    assert (await shop.post("payments/stripe/webhook", content=b"\xff", headers=headers)).status_code == 401


async def test_a_decline_that_stripe_tells_before_it_answers(shop, db, bank, provider, cart, monkeypatch):
    """The webhook is one that localstripe signed and sent by itself."""
    confirm = provider.authorize

    async def late(payment, token):
        try:
            return await confirm(payment, token)
        finally:
            headers, body = await bank.told_of(payment.key)
            signature = {"Stripe-Signature": headers["Stripe-Signature"]}
            assert (await shop.post("payments/stripe/webhook", content=body, headers=signature)).status_code == 204

    monkeypatch.setattr(provider, "authorize", late)
    card = await bank.card(DECLINING)
    answer = await pay(shop, cart, card)
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined"), answer.text
    assert (await pay(shop, cart, card)).content == answer.content
    assert await state(db) == (10, {"cancelled": 1})


async def test_currencies_that_stripe_counts_otherwise_are_declined(bank, provider):
    with pytest.raises(PaymentDeclined):
        await provider.authorize(Payment(str(uuid4()), Money(700, "ISK")), "pm_x")
    assert bank.asked.total() == 0


async def test_a_key_that_stripe_refuses_is_no_answer(bank):
    stranger = StripeProvider("rk_", stripes.SECRET, "https://shop.example", bank.url)
    with pytest.raises(TimeoutError):
        await stranger.find(Payment(str(uuid4()), Money(700, "EUR")))
    await stranger.close()


async def test_a_failure_of_stripe_is_not_kept_for_the_next_try(shop, db, bank, provider, cart):
    """Stripe repeats an answer for its key, also a 500."""
    order = (await pay(shop, cart, await bank.card(GOOD))).json()
    payment = Payment(order["id"], Money(2000, "USD"))
    bank.fail["capture"] = 1
    with pytest.raises(TimeoutError):
        await provider.capture(payment)
    await work_off(db)
    bank.fail["cancel"] = 1
    other = Payment(str(uuid4()), Money(2000, "USD"))
    with pytest.raises(TimeoutError):
        await provider.void(other)
    await provider.void(other)
    assert (await bank.intent(other.key))["status"] == "canceled"
    assert await stand(db, order["id"]) == ("paid", "captured")


async def test_what_costs_nothing_is_not_asked_of_stripe(shop, db, bank, providers):
    async with db.tx() as tx:
        lamp = await a_product(tx, price=1000, stock=10)
        await promotions.add(tx, offer(value=10_000))
    answer = await pay(shop, await shop.cart_with((lamp, 1)), await bank.card(GOOD))
    assert (answer.status_code, answer.json()["status"]) == (201, "paid"), answer.text
    await work_off(db)
    assert bank.asked.total() == 0


async def test_a_sum_that_stripe_takes_from_nobody_is_nothing_held(bank, provider):
    payment = Payment(str(uuid4()), Money(0, "USD"))
    assert await provider.find(payment) is None
    await provider.void(payment)
    with pytest.raises(PaymentDeclined):
        await provider.capture(payment)


async def test_a_capture_told_after_the_cancel_gives_back_once(shop, db, bank, cart):
    order = (await pay(shop, cart, await bank.card(GOOD))).json()
    await work_off(db)
    await shop.post(f"orders/{order['id']}/cancel", headers={"Order-Token": order["token"]})
    taken = await bank.intent(order["id"]) | {"amount_received": 2000}
    assert await tell(shop, bank, "payment_intent.succeeded", taken) == 204
    await work_off(db)
    assert await bank.back(order["id"]) == [2000]
    assert await stand(db, order["id"]) == ("cancelled", "refunded")


async def test_a_late_failure_of_a_paid_order_changes_nothing(shop, db, bank, cart):
    order = (await pay(shop, cart, await bank.card(GOOD))).json()
    intent = await bank.intent(order["id"])
    assert await tell(shop, bank, "payment_intent.payment_failed", intent) == 204
    assert await stand(db, order["id"]) == ("paid", "authorized")
    await work_off(db)
    assert await tell(shop, bank, "payment_intent.canceled", intent) == 204
    assert await stand(db, order["id"]) == ("paid", "captured")


async def test_money_that_stripe_let_go_of_cancels_the_order(shop, db, bank, cart):
    order = (await pay(shop, cart, await bank.card(GOOD))).json()
    intent = await bank.intent(order["id"])
    await bank.ask("POST", f"/v1/payment_intents/{intent['id']}/cancel")
    assert await tell(shop, bank, "payment_intent.canceled", intent) == 204
    assert await stand(db, order["id"]) == ("cancelled", "voided")
    await work_off(db)
    assert await state(db) == (10, {"cancelled": 1})


async def test_a_refund_that_the_bank_sends_back_is_owed_until_staff_give_it_again(shop, db, bank, cart):
    """However often and however late Stripe tells of each try, and also of one whose key it forgot."""
    order = (await pay(shop, cart, await bank.card(GOOD))).json()
    await work_off(db)
    await checkout_refund(db, order["id"], 500)
    await work_off(db)
    (first,) = await bank.refunds(order["id"])
    told = bank.send_back(first)
    for name, untold in (("refund.updated", first), ("refund.failed", told | {"metadata": {}}),
                         ("refund.failed", told | {"metadata": None})):  # fmt: skip
        assert await tell(shop, bank, name, untold) == 204
    assert (await refunds(shop, order))[0]["done_at"]
    for name in ("charge.refund.updated", "refund.updated", "refund.failed"):
        assert await tell(shop, bank, name, told) == 204
    (owed,) = await refunds(shop, order)
    assert (owed["done_at"], owed["failed"]) == (None, "expired_or_canceled_card")
    await work_off(db)
    assert await topics(db, "order.refund_failed") == 1
    assert (len(await bank.refunds(order["id"])), await bank.back(order["id"])) == (1, [])

    await again(db, order, owed)
    assert await tell(shop, bank, "refund.failed", told) == 204
    bank.forget()
    await work_off(db)
    second = next(one for one in await bank.refunds(order["id"]) if one["id"] != first["id"])
    assert await tell(shop, bank, "refund.failed", bank.send_back(second)) == 204
    assert await tell(shop, bank, "refund.failed", told) == 204
    (owed,) = await refunds(shop, order)
    assert owed["failed"]
    await again(db, order, owed)
    assert await tell(shop, bank, "refund.failed", told) == 204
    await work_off(db)
    assert await tell(shop, bank, "refund.failed", told) == 204
    (given,) = await refunds(shop, order)
    assert (given["done_at"] is not None, given["failed"]) == (True, None)
    assert (len(await bank.refunds(order["id"])), await bank.back(order["id"])) == (3, [500])
    assert await stand(db, order["id"]) == ("paid", "partially_refunded")
    assert (await topics(db, "order.refund_failed"), await topics(db, "order.refunded")) == (2, 3)
    seen = await shop.get(f"orders/{order['id']}", headers={"Order-Token": order["token"]})
    assert [step["why"] for step in seen.json()["history"]].count("given back again") == 0, "that is not the buyer's"


async def again(db, order, owed) -> None:
    async with db.tx() as tx:
        await checkout.refund_again(tx, UUID(order["id"]), UUID(owed["id"]), who="staff")


async def checkout_refund(db, order: str, amount: int) -> None:
    async with db.tx() as tx:
        await checkout.ask_refund(tx, UUID(order), amount, who="staff", why="scratched")


async def refunds(shop, order) -> list[dict[str, Any]]:
    return (await shop.get(f"admin/orders/{order['number']}", headers=staff())).json()["refunds"]


async def topics(db, topic: str) -> int:
    async with db.read() as tx:
        return await tx.value(TOLD, topic)
