"""R6 to R8: money that is told of in any order, coupons that run out, and a shop that does what its model does."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from uuid import UUID

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.model import ShopMachine
from tests.servers import Servers
from tfmshop.commerce import promotions
from tfmshop.commerce.payments import News, Notice, Payment
from tfmshop.platform import ids
from tfmshop.platform.db import Query
from torture.client import Answer, Client
from torture.report import Report
from torture.shop import BUY, Cart, Shop, books, buy, carts, goods

CAPTURES = Query("torture.captures", "SELECT count(*)::int FROM payments.capture AS c "
                 "JOIN orders.placed AS o ON o.id = c.order_id AND o.total = c.amount "
                 "WHERE o.cart_id = ANY($1) AND o.payment_status = 'captured'")  # fmt: skip
CHALLENGE = BUY | {"payment": {"provider": "fake", "token": "challenge"}}


async def confirm_and_webhook(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R6: 1,000 orders whose buyer says yes at the bank; the client and 1 to 5 webhooks come at once, in any order."""
    source, company = random.Random(seed), shop.company
    async with shop.database() as db, shop.client(100) as client:
        sold = await goods(db, 1, 1_000_000)
        made = await carts(db, [[(sold.variants[0], 1)]] * (1000 // part))
        ledger = shop.ledger()
        found: Counter[str] = Counter()
        room = asyncio.Semaphore(40)

        async def one(cart: Cart, news: list[News]) -> None:
            key = f"r6 {cart.id}"
            async with room:
                order = (await buy(client, cart, key, CHALLENGE)).json()["order_id"]
                await company.confirm(order, approve=True)
                money = company.promised(order)
                assert money is not None
                if News.CAPTURED in news:
                    await company.capture(Payment(order, money.amount))
                notices = [Notice(UUID(order), what, money.reference, money.amount.amount) for what in news]
                confirmed = asyncio.create_task(_finish(client, cart, key))
                for answer in await asyncio.gather(*[_tell(client, shop, notice) for notice in notices]):
                    found[f"webhook answered {answer.kind}"] += answer.status != 204
                answer = await confirmed
                ledger.note(key, 1, answer)
                found[answer.kind] += answer.status != 201

        kinds = [News.AUTHORIZED, News.CAPTURED]
        await asyncio.gather(*[one(cart, source.choices(kinds, k=source.randint(1, 5))) for cart in made])
        await shop.work_off(db)
        told = ", ".join(f"{kind} x {count}" for kind, count in found.items() if count)
        report.exactly("R6", f"other answers {told}", found.total(), 0)
        report.exactly("R6", "orders", len(ledger.acknowledged), len(made))
        async with db.read() as tx:
            report.exactly(
                "R6", "captures of the right amount", await tx.value(CAPTURES, [c.id for c in made]), len(made)
            )
        taken = [company.taken(order) for orders in ledger.acknowledged.values() for order in orders]
        report.exactly("R6", "orders that the company took 1,000 for", taken.count(1000), len(made))
        await _books(report, "R6", await books(db, sold, made, ledger))


async def coupons(shop: Shop, report: Report, seed: int, part: int) -> None:
    """R7: 500 carts on a coupon of 10, then 500 of one customer on a coupon of one each."""
    many = 500 // part
    async with shop.database() as db, shop.client(250) as client:
        sold = await goods(db, 1, 1_000_000)
        for what, winners, limits in (
            ("coupon of 10", 10, {"max_uses": 10}), ("limit of 1 per customer", 1, {"max_uses_per_customer": 1}),
        ):  # fmt: skip
            offer = promotions.Offer(
                id=ids.new(), name="Off", kind=promotions.Kind.PERCENT, value=1000, code=ids.readable(12), **limits
            )
            async with db.tx() as tx:
                await promotions.add(tx, offer)
            made = await carts(db, [[(sold.variants[0], 1)]] * many, offer.code)
            answers = Counter(
                answer.kind for answer in await asyncio.gather(*[buy(client, c, f"r7 {seed} {c.id}") for c in made])
            )
            report.exactly("R7", f"orders of {many} carts on a {what}", answers.pop("201"), winners)
            refused = answers.pop("409 coupon_exhausted", 0) + answers.pop("409 coupon_invalid", 0)
            report.exactly("R7", f"refused on a {what}", refused, many - winners)
            report.exactly("R7", f"other answers on a {what}", answers.total(), 0)
            await _books(report, "R7", await books(db, sold, made, shop.ledger()))


async def model(_: Shop, report: Report, number: int, part: int) -> None:
    """R8: a shop beside its model, 500 runs over five seeds."""
    runs = 100 // part
    servers = Servers()
    wanted = settings(max_examples=runs, stateful_step_count=25, deadline=None, database=None, phases=(Phase.generate,),
                      suppress_health_check=list(HealthCheck))  # fmt: skip
    await asyncio.to_thread(servers.start)
    try:
        diverged = await asyncio.to_thread(_diverges, number, wanted)
    finally:
        await asyncio.to_thread(servers.stop)
    report.exactly("R8", f"divergences in {runs} runs", diverged, 0)


def _diverges(number: int, wanted: settings) -> int:
    try:
        run_state_machine_as_test(seed(number)(ShopMachine), settings=wanted)
    except Exception as error:  # noqa: BLE001 - whatever it is, the shop and its model parted
        print("".join(traceback.format_exception_only(error)))
        return 1
    return 0


async def _finish(client: Client, cart: Cart, key: str) -> Answer:
    for _ in range(200):
        answer = await buy(client, cart, key, CHALLENGE)
        if answer.kind != "409 request_in_progress":
            return answer
        await asyncio.sleep(0.05)
    raise SystemExit(f"{key} was in progress for ever")


async def _tell(client: Client, shop: Shop, notice: Notice) -> Answer:
    headers, body = shop.company.webhook(notice)
    return await client.send("/payments/fake/webhook", body, headers)


async def _books(report: Report, figure: str, found: dict[str, int]) -> None:
    for what, count in found.items():
        report.exactly(figure, what, count, 0)
