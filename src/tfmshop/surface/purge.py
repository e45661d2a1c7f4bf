"""Telling a CDN what is stale, so that it asks again: by surrogate keys, as Fastly and Varnish's xkey have them.

It is told a while after the change, when each web server has heard of it: one that had not could give the CDN the page
of before once more. What was not heard while nobody listened is made up for by purging everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from tfmshop.platform import Config, codec, db
from tfmshop.platform.cache import EVERY_PAGE, EVERYTHING
from tfmshop.platform.cache.cache import NEWS, PATTERN, WARM
from tfmshop.platform.outgoing import NoReply, NotAllowedThere, Outgoing

SETTLE_SECONDS: Final = 2.5
"""How long after a change the CDN is told: a web server that lost its connection finds out within two seconds."""
MOST_KEYS: Final = 256
"""Keys in a request; when more wait than `MOST_WAITING`, everything is purged instead."""
MOST_WAITING: Final = 2560
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

log = structlog.get_logger("app")


class Purger:
    """Keys that wait, and whoever tells the CDN of them; what it does not take is told again."""

    def __init__(self, url: str, header: str, settle_seconds: float = SETTLE_SECONDS) -> None:
        """`header` is one that proves who asks, as `Name: value`; empty is none."""
        self._url, self._settle = url, settle_seconds
        name, _, value = header.partition(":")
        self._headers = {"content-type": "application/json", **({name.strip(): value.strip()} if header else {})}
        self._outgoing = Outgoing(private=True)
        self._waiting: set[str] = set()
        self._some = asyncio.Event()

    def hear(self, tags: Iterable[str]) -> None:
        """Tags are stale."""
        heard = {tag for tag in tags if not tag.startswith(NEWS)} - {WARM}
        if any(tag == EVERYTHING or tag.startswith(PATTERN) for tag in heard):
            heard = {EVERY_PAGE}
        self._waiting |= heard
        if len(self._waiting) > MOST_WAITING:
            self._waiting = {EVERY_PAGE}
        if self._waiting:
            self._some.set()

    def everything(self) -> None:
        """Anything may be stale."""
        self.hear([EVERYTHING])

    async def run(self) -> None:
        """Tell the CDN, without end."""
        pause = FIRST_PAUSE
        while True:
            await self._some.wait()
            keys, self._waiting = self._waiting, set()
            self._some.clear()
            await asyncio.sleep(self._settle)  # what is heard meanwhile waits as long, in the next round
            try:
                await self._purge({EVERY_PAGE} if EVERY_PAGE in keys else keys)
                pause = FIRST_PAUSE
            except (NoReply, NotAllowedThere) as error:
                log.error("the CDN was not told what is stale, and will be", keys=len(keys), why=str(error))
                self.hear(keys)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)

    async def _purge(self, keys: set[str]) -> None:
        ordered = sorted(keys)
        for first in range(0, len(ordered), MOST_KEYS):
            some = ordered[first : first + MOST_KEYS]
            headers = self._headers | {"surrogate-key": " ".join(some)}
            reply = await self._outgoing.post(self._url, codec.encode({"surrogate_keys": some}), headers)
            if not 200 <= reply.status < 300:
                raise NoReply(why=f"it answered {reply.status}")


@asynccontextmanager
async def purging(config: Config) -> AsyncIterator[None]:
    """Tell the CDN that the settings name, while the block runs."""
    if not config.text("CDN_PURGE_URL"):
        yield
        return
    purger = Purger(config.text("CDN_PURGE_URL"), config.text("CDN_PURGE_HEADER"))
    listener = db.Listener(
        config.text("DATABASE_URL"), "stale", hear=lambda message: purger.hear(message.split(",")),
        back=purger.everything, lost=lambda: None,
    )  # fmt: skip
    await listener.start()
    telling = asyncio.create_task(purger.run())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        await listener.stop()
