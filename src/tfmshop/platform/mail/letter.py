"""A letter, and whoever brings it."""

from __future__ import annotations

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Protocol

from tfmshop.platform import clock


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody is told, as text and as HTML. `id` is the same when it is sent again, so that it can be known."""

    id: str
    recipient: str
    title: str
    text: str
    html: str


class Mailer(Protocol):
    """Brings letters."""

    async def send(self, letter: Letter) -> None:
        """Hand a letter over for good; `CannotSend` when nobody took it."""


def message(letter: Letter, sender: str) -> EmailMessage:
    """The letter as it goes over the wire. What is in it cannot add a header: line ends are refused."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"] = Address(name, addr_spec=address)
    mail["To"] = Address(addr_spec=letter.recipient)
    mail["Subject"] = " ".join(letter.title.split())
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = f"<{letter.id}@{address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    return mail
