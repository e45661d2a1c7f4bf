"""A worker: uvicorn on one socket, with connections that ask for ready answers first."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

import uvicorn

from tfmshop.platform.clock import monotonic
from tfmshop.surface.serving.connection import Connection
from tfmshop.surface.serving.sockets import BACKLOG, CONNECTIONS

LOOK_TICKS: Final = 10
"""Ticks of a tenth of a second between two looks at every connection."""
FINISH_SECONDS: Final = 28
"""How long requests may take that are under way at the end."""
ACCEPTED: Final = 16
"""Connections that are accepted in one round of the event loop: uvloop takes one from each handle of a socket, and a
crowd of new ones would wait for seconds while the rounds are busy.
"""


class _Server(uvicorn.Server):
    """Uvicorn's server, which looks after its connections now and then."""

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second."""
        if counter % LOOK_TICKS == 0:
            self._look(hurry=False)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way; who does not take its answer is not waited for."""
        looking = asyncio.create_task(self._look_on())
        try:
            await super().shutdown(sockets)
        finally:
            looking.cancel()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_TICKS / 10)
            self._look(hurry=True)

    def _look(self, *, hurry: bool) -> None:
        now = monotonic()
        for one in list(self.server_state.connections):
            if isinstance(one, Connection):
                one.end_in_time(now, hurry=hurry)


def work(target: str, listening: int, workers: int) -> int:
    """Serve the application that `target` makes (`module:function`) as one of so many, until SIGTERM, by which the
    process ends when everything is over; the exit code where it could not start.
    """
    Connection.most = CONNECTIONS // workers
    settings = uvicorn.Config(
        target, factory=True, interface="asgi3", http=Connection, ws="none", loop="uvloop", lifespan="on",
        log_config=None, log_level="critical", access_log=False, proxy_headers=False, server_header=False,
        backlog=BACKLOG, timeout_graceful_shutdown=FINISH_SECONDS,
    )  # fmt: skip
    server = _Server(settings)
    server.run(sockets=[socket.socket(fileno=os.dup(listening)) for _ in range(ACCEPTED)])
    return 0 if server.started else 1
