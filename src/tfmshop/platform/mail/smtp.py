"""Letters over SMTP (RFC 5321), with TLS and sign-in as the address of the server says."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from tfmshop.config.hosts import is_here
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.mail.letter import Letter, message

TIMEOUT_SECONDS: Final = 15.0
PERMANENT: Final = 500
"""From this reply code on, sending again will not help."""


class CannotSend(ShopError, kind=Kind.UNAVAILABLE, code="mail_not_sent", says="The letter could not be sent: {why}."):
    """No mail server took the letter. `final` when it never will."""

    why: str
    final: bool


class SmtpMailer:
    """Sends through `smtp://[user:password@]host[:25]` (STARTTLS where offered; without it no password goes to another
    machine) or `smtps://...[:465]`.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (465 if self._tls else 25)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._start_tls = True if self._password and not self._tls and not is_here(self._host) else None

    async def send(self, letter: Letter) -> None:
        """Hand a letter to the server. `CannotSend`."""
        try:
            await aiosmtplib.send(
                message(letter, self._sender), hostname=self._host, port=self._port, use_tls=self._tls,
                start_tls=self._start_tls, username=self._username, password=self._password, timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        except aiosmtplib.SMTPRecipientsRefused as refused:
            final = all(one.code >= PERMANENT for one in refused.recipients)
            raise CannotSend(why="the recipient was refused", final=final) from refused
        except aiosmtplib.SMTPResponseException as answer:
            raise CannotSend(why=f"the server answered {answer.code}", final=answer.code >= PERMANENT) from answer
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise CannotSend(why=type(error).__name__, final=isinstance(error, ValueError)) from error
