"""The first and the last thing a worker says: that it can work, and that its connections end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tfmshop.surface.http.edge.body import Message, Send
from tfmshop.surface.serving import ready

if TYPE_CHECKING:
    from tfmshop.surface.http.context import Shop

LOOK_SECONDS: Final = 0.1
_CLOSE: Final = (b"connection", b"close")


class Farewell:
    """Says the first when the shop can work, and the last from SIGUSR1 on."""

    def __init__(self) -> None:
        self.begun = False
        self._telling: asyncio.Task[None] | None = None

    async def wait(self, shop: Shop) -> None:
        """Tell the server when this worker can work, and hear from it when it must go. Where others work until then,
        this one takes no request before.
        """
        with suppress(ValueError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin, shop)
        if ready.is_awaited():
            await self._tell(shop)
        elif ready.is_wanted():
            self._telling = asyncio.create_task(self._tell(shop))

    def end(self) -> None:
        """The shop closes."""
        if self._telling is not None:
            self._telling.cancel()

    async def _tell(self, shop: Shop) -> None:
        while not await shop.checks.can_work():  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(LOOK_SECONDS)
        ready.say()

    def _begin(self, shop: Shop) -> None:
        self.begun = shop.checks.leaves = True


def with_goodbye(send: Send) -> Send:
    """Answers that tell their client that the connection ends after them."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        await send(message)

    return closing
