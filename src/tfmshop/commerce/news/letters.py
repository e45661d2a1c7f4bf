"""Letters to people: written down with what causes them, made out of templates, sent by a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tfmshop.commerce import accounts, orders
from tfmshop.commerce.news.store import ADD_LETTER, ERASE, LETTER, SENT
from tfmshop.commerce.vocabulary import Money, address_lines, spelled
from tfmshop.platform import clock, codec, ids, jobs
from tfmshop.platform.db import Database, Tx
from tfmshop.platform.mail import CannotSend, Letter, Mailer
from tfmshop.platform.security.seals import Seals

log = structlog.get_logger("news")

LINKS: Final = {"reset": "/reset-password", "verify": "/verify-email", "email": "/confirm-email"}
"""Letters that carry a link, and the page of the shop that it leads to."""
OF_ORDERS: Final = {"confirmation", "shipped", "refunded", "cancelled", "rest"}
"""Letters that show an order as it is when they are sent."""


class ToSend(msgspec.Struct, frozen=True):
    """A letter that is to be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the shop's name, the address of its pages, and that of its staff (each empty where there is none).

    With `seals` are made the tokens that links carry.
    """

    name: str
    url: str = ""
    staff: str = ""
    seals: Seals = field(default_factory=lambda: Seals(ids.token()), repr=False)


async def write(tx: Tx, reason: str, kind: str, recipient: str, subject: UUID, data: str) -> None:
    """Have a letter sent, once for its reason, in the transaction of what causes it. `data` is JSON."""
    if await tx.value(ADD_LETTER, reason, kind, recipient, subject, data, clock.now()) is not None:
        await jobs.enqueue(tx, "news.letter", ToSend(reason))


async def send(db: Database, mailer: Mailer, sender: Sender, reason: str) -> None:
    """Send a letter unless it was sent. `CannotSend` when it must be tried again.

    A crash between the mail server's answer and ours sends it twice, with the same Message-ID.
    """
    in_vain = ""
    async with db.read() as tx:
        row = await tx.row(LETTER, reason)
        if row is None or row["sent_at"] is not None:
            return
        facts: dict[str, Any] = {"data": codec.decode(row["data"])}
        if row["kind"] in OF_ORDERS:
            order, _ = await orders.load(tx, row["subject"])
            if order.email != row["recipient"]:
                in_vain = "its order goes to another address"
            token = "" if in_vain else await orders.tokens.give(tx, sender.seals, order, instead=False) or ""
            facts |= _with_link(sender, f"/orders/{order.number}", token)
            facts["order"] = order
        if row["kind"] in LINKS and not await accounts.proofs.is_good(tx, row["subject"]):
            in_vain = "its link was too old"
        elif row["kind"] in LINKS:
            token = await accounts.proofs.token_of(tx, sender.seals, row["subject"])
            facts |= _with_link(sender, LINKS[row["kind"]], token)
    if in_vain:
        async with db.tx() as tx:
            await tx.execute(SENT, reason, in_vain)
        return
    letter = render(row["kind"], sender, reason.replace(" ", "."), row["recipient"], facts)
    answer = ""
    try:
        await mailer.send(letter)
    except CannotSend as error:
        if not error.final:
            raise
        answer = str(error)
        log.warning("a letter was refused for good", reason=reason, why=error.why)
    async with db.tx() as tx:
        await tx.execute(SENT, reason, answer)


def _with_link(sender: Sender, page: str, token: str) -> dict[str, str]:
    """A token, and where it leads; both empty without one."""
    return {"token": token, "link": f"{sender.url}{page}#token={token}" if sender.url and token else ""}


async def erase(tx: Tx, recipients: list[str], subjects: list[UUID]) -> None:
    """Forget the letters that wait for one of these addresses or tell of any of these subjects, and the jobs that would
    write to them; of letters that were sent it is not kept.
    """
    await jobs.events.leave_out(tx, subjects, "why")
    await jobs.forget(tx, "accounts.%", recipients)
    await tx.execute(ERASE, recipients, subjects)


def render(kind: str, sender: Sender, id: str, recipient: str, facts: Mapping[str, object]) -> Letter:
    """A letter out of its two templates; the first line of its text is its title."""
    known = {"shop": sender, **facts}
    title, _, text = _templates().get_template(f"{kind}.txt").render(known).partition("\n")
    html = _templates().get_template(f"{kind}.html").render({**known, "title": title})
    return Letter(id, recipient, title, text.strip() + "\n", html)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("tfmshop.commerce.news", "letters"), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["money"] = _money
    made.filters["lines"] = address_lines
    return made


def _money(value: Money | Mapping[str, Any]) -> str:
    return spelled(Money(value["amount"], value["currency"]) if isinstance(value, Mapping) else value)
