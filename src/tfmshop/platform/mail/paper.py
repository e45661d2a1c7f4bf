"""Where no mail server is set: a line in the log instead of a letter."""

from __future__ import annotations

import structlog

from tfmshop.platform.mail.letter import Letter

log = structlog.get_logger("mail")


class LogMailer:
    """Notes that a letter would have been sent. What is in it stays out of the log: it may hold secrets."""

    async def send(self, letter: Letter) -> None:
        """Write the line."""
        log.info("no mail server is set (MAIL_URL): letter not sent", title=letter.title)
