"""`python -m tests.crash STORY POINT URL HOME CART TOKEN KEY`: live through a story, and die by SIGKILL on the way.

Points are the names of statements (dies when they have run, before anything is committed that was not yet), what a
payment company does (`asked` and `authorized` before and after it wrote that down, `declined`, `confirmed`, `taken`,
`returned`, `voided`: the company did it, the shop does not know yet), `answered`, and `never`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.client import Client
from tests.conftest import open_client
from tests.journeys.test_money import work_off
from tfmshop import config
from tfmshop.commerce import checkout
from tfmshop.commerce.payments import (
    Authorization,
    Challenge,
    Failed,
    FakeProvider,
    Notice,
    Payment,
    PaymentDeclined,
    Providers,
)  # fmt: skip
from tfmshop.commerce.vocabulary import Money
from tfmshop.platform.db import Database, Options, connect
from tfmshop.platform.db.query import listening

PLACING = ("platform.begin_key", "cart.close", "promotions.redeem", "orders.place", "inventory.take", "asked")
RELEASING = ("orders.cancel", "promotions.give_back", "inventory.give_back", "cart.reopen")
STORIES = {
    "paid": (
        *PLACING, "authorized", "orders.settle", "answered", "orders.count_sales", "taken", "orders.mark_payment",
        "payments.captured", "jobs.take_events", "news.keep_event", "news.add_letter", "news.letter_sent", "never",
    ),
    "declined": ("asked", "declined", *RELEASING, "platform.remember_answer", "answered", "never"),
    "approved": (
        "orders.mark_payment", "platform.end_lease", "answered", "confirmed", "orders.settle", "told", "never",
    ),
    "refused": ("answered", "confirmed", *RELEASING, "told", "never"),
    "given_up": ("answered", *RELEASING, "told", "confirmed", "voided", "never"),
    "cancelled": (
        "told", *RELEASING[:3], "payments.ask_refund", "orders.mark_payment", "returned", "payments.refunded", "never",
    ),
}  # fmt: skip
"""What happens, and where it may end: a purchase; one that is declined; a payment page where the buyer agrees, says no,
or which they leave by cancelling, and agree after all; a paid order that is cancelled.
"""
TOKENS = {"declined": "decline", "approved": "challenge", "refused": "challenge", "given_up": "challenge"}


def die(here: str) -> None:
    """End as if the power went, if this is the point."""
    if here == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


class Company(FakeProvider):
    """The fake company, during whose work the shop may die."""

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        die("asked")
        try:
            answer = await super().authorize(payment, token)
        except PaymentDeclined:
            die("declined")
            raise
        die("authorized")
        return answer

    async def capture(self, payment: Payment) -> str:
        reference = await super().capture(payment)
        die("taken")
        return reference

    async def refund(self, payment: Payment, refund_key: str, amount: Money) -> str:
        reference = await super().refund(payment, refund_key, amount)
        die("returned")
        return reference

    async def void(self, payment: Payment) -> None:
        await super().void(payment)
        die("voided")

    async def _say(self, notice: Notice | Failed) -> None:
        die("confirmed")
        await super()._say(notice)


async def main(story: str, _: str, url: str, home: str, cart: str, token: str, key: str) -> None:
    """Live through the story, jobs included."""
    settings = config.read({"APP_ENV": "test", "REDIS_URL": os.environ["REDIS_URL"], "TFMSHOP_HOME": home}, None)
    db = await connect(url, Options())
    company = Company(Path(home) / "journal.jsonl")
    checkout.schedule_all(Providers(fake=company), timedelta(hours=1))
    async with open_client(settings, db, company) as shop:
        if story == "cancelled":
            order = (await shop.buy({"id": cart, "token": token}, key=key)).json()["id"]
            await work_off(db)
            with listening(die):
                await _cancel(db, order)
                die("told")
                await work_off(db)
        else:
            with listening(die):
                await _buy(shop, db, company, story, {"id": cart, "token": token}, key)
                await work_off(db)
    await db.close()


async def _buy(shop: Client, db: Database, company: Company, story: str, cart: dict[str, str], key: str) -> None:
    answer = await shop.buy(cart, key=key, token=TOKENS.get(story, "ok"))
    assert answer.status_code == {"paid": 201, "declined": 402}.get(story, 202), answer.text
    die("answered")
    if story in ("approved", "refused"):
        await company.confirm(answer.json()["order_id"], approve=story == "approved")
        die("told")
    if story == "given_up":
        await _cancel(db, answer.json()["order_id"])
        die("told")
        await company.confirm(answer.json()["order_id"], approve=True)


async def _cancel(db: Database, order: str) -> None:
    await db.transact(lambda tx: checkout.cancel(tx, UUID(order), who="staff", why="sold out"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
