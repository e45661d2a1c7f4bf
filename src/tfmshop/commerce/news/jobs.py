"""What is told, told by jobs: spread, delivered, sent, and forgotten when it is old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from tfmshop.commerce import accounts
from tfmshop.commerce.news import people
from tfmshop.commerce.news.deliver import deliver
from tfmshop.commerce.news.endpoints import ToDeliver
from tfmshop.commerce.news.letters import Sender, ToSend, send
from tfmshop.commerce.news.remind import remind
from tfmshop.commerce.news.spread import spread
from tfmshop.commerce.news.store import FORGET, FORGET_LETTERS
from tfmshop.platform import codec
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.jobs import job, schedule
from tfmshop.platform.mail import Mailer
from tfmshop.platform.observe.metrics import Counter
from tfmshop.platform.outgoing import Outgoing

EVENTS = Counter("tfmshop_events_total", "What happened and was spread, such as order.paid.", "topic")
KEPT: Final = timedelta(days=30)
"""How long what was told can be told again."""


@schedule("news.forget", "17 * * * *")
async def forget(db: Database) -> None:
    """Drop what was told long ago."""
    async with db.tx() as tx:
        await tx.execute(FORGET, KEPT)
        await tx.execute(FORGET_LETTERS, KEPT)


def _declare(name: str, tell: Callable[[Tx, accounts.proofs.Asked], Awaitable[None]]) -> None:
    @job(name)
    async def write_to_them(db: Database, payload: bytes) -> None:
        asked = codec.decode_as(payload, accounts.proofs.Asked)
        await db.transact(lambda tx: tell(tx, asked))


def schedule_all(mailer: Mailer, outgoing: Outgoing, sender: Sender, remind_after: timedelta | None) -> None:
    """Declare the jobs that tell the world; carts are spoken of only with `remind_after`."""

    @job("news.spread")
    async def spread_news(db: Database, payload: bytes) -> None:
        subject = codec.decode_as(payload, UUID)
        for event in await db.transact(lambda tx: spread(tx, subject, sender.staff)):
            EVENTS.of(event.topic).add()

    for name, tell in (("accounts.forgot", people.forgot), ("accounts.registered", people.registered),
                       ("accounts.password_changed", people.password_changed), ("accounts.new_email", people.new_email),
                       ("accounts.email_changed", people.email_changed),
                       ("accounts.identity_joined", people.identity_joined)):  # fmt: skip
        _declare(name, tell)

    @job("news.deliver", lane="webhooks")
    async def bring(db: Database, payload: bytes) -> None:
        due = codec.decode_as(payload, ToDeliver)
        await deliver(db, outgoing, due.endpoint_id, due.subject)

    @job("news.letter", lane="letters")
    async def post(db: Database, payload: bytes) -> None:
        await send(db, mailer, sender, codec.decode_as(payload, ToSend).reason)

    if remind_after is not None:

        @schedule("news.remind", "*/5 * * * *")
        async def remind_of_carts(db: Database) -> None:
            while await db.transact(lambda tx: remind(tx, remind_after)):
                pass
