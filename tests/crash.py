"""`python -m tests.crash POINT URL HOME CART TOKEN KEY`: order a cart, and die by SIGKILL at a point on the way.

Points are the names of statements (dies when they have run, before anything is committed that was not yet),
`asked` and `authorized` (before and after the payment company wrote it down), `answered`, `taken` (the company took the
money, the shop does not know yet) and `never`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from tests.conftest import open_client
from tests.journeys.test_money import work_off
from tfmshop import config
from tfmshop.commerce import checkout
from tfmshop.commerce.payments import Authorization, Challenge, FakeProvider, Payment, Providers
from tfmshop.platform.db import Options, connect
from tfmshop.platform.db.query import listening

POINTS = (
    "platform.begin_key", "cart.close", "promotions.redeem", "orders.place", "inventory.take", "asked", "authorized",
    "orders.settle", "answered", "orders.count_sales", "taken", "orders.mark_payment", "payments.captured", "never",
)  # fmt: skip


def die(here: str) -> None:
    """End as if the power went, if this is the point."""
    if here == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)


class Company(FakeProvider):
    """The fake company, during whose work the shop may die."""

    async def authorize(self, payment: Payment, token: str) -> Authorization | Challenge:
        die("asked")
        answer = await super().authorize(payment, token)
        die("authorized")
        return answer

    async def capture(self, payment: Payment) -> str:
        reference = await super().capture(payment)
        die("taken")
        return reference


async def main(url: str, home: str, cart: str, token: str, key: str) -> None:
    """Order the cart, and do the jobs that hang on it."""
    settings = config.read({"APP_ENV": "test", "REDIS_URL": os.environ["REDIS_URL"], "TFMSHOP_HOME": home}, None)
    db = await connect(url, Options())
    company = Company(Path(home) / "journal.jsonl")
    checkout.schedule_all(Providers(fake=company), timedelta(hours=1))
    async with open_client(settings, db, company) as shop:
        with listening(die):
            answer = await shop.buy({"id": cart, "token": token}, key=key)
            assert answer.status_code == 201, answer.text
            die("answered")
            await work_off(db)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[2:]))
