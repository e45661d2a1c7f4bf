"""Where no mail server is set: a line in the log, and in development a file, instead of a letter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from tfmshop.platform import clock
from tfmshop.platform.mail.letter import Letter, message

log = structlog.get_logger("mail")


class LogMailer:
    """Notes that a letter would have been sent. What is in it stays out of the log: it may hold secrets. It is kept
    in a folder, where there is one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> None:
        """Write the line, and the file."""
        if self._folder is None:
            log.info("no mail server is set (MAIL_URL): letter not sent", title=letter.title)
            return
        path = await asyncio.to_thread(self._keep, self._folder, letter)
        log.info("no mail server is set (MAIL_URL): letter kept", title=letter.title, file=str(path))

    def _keep(self, folder: Path, letter: Letter) -> Path:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{clock.now():%Y%m%dT%H%M%S}-{letter.id}.eml"
        path.write_bytes(bytes(message(letter, "shop@localhost")))
        return path
