"""One generation: workers of Granian on sockets that it did not make, and does not close."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from tfmshop.surface.serving import ready
from tfmshop.surface.serving.ready import end_with_parent
from tfmshop.surface.serving.sockets import BACKLOG, CONNECTIONS


class _Workers(MPServer):
    """Granian's parent of workers, where each takes over the socket that its forerunner had."""

    def __init__(self, sockets: Sequence[int], **settings: Any) -> None:
        super().__init__(workers=len(sockets), **settings)
        self._sockets = sockets

    def _init_shared_socket(self) -> None:
        self._ssp = self._shd = self._sso = None

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:  # type: ignore[override]
        self._shd = SocketHolder(os.dup(self._sockets[idx]), False, BACKLOG)  # type: ignore[assignment,call-arg]
        return super()._spawn_worker(idx, target, callback_loader)

    def say_goodbye(self, *_: object) -> None:
        """Have every worker end its connections after their next answer."""
        for worker in list(self.wrks):
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, signal.SIGUSR1)


def serve(target: str, sockets: Sequence[int], pipe: int, prepare: Callable[[], None], *, alone: bool) -> None:
    """Run workers until SIGTERM; each writes to the pipe when it can work, before which it takes no request unless
    nobody else does (`alone`). SIGUSR1 is the goodbye before the end. They end with their parent, too.
    """
    end_with_parent()
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
    ready.tell_through(pipe, alone=alone)
    prepare()
    workers = _Workers(
        sockets, target=target, interface=Interfaces.ASGI, factory=True, loop=Loops.uvloop, http=HTTPModes.http1,
        websockets=False, log_level=LogLevels.warning, log_access=False, respawn_failed_workers=True,
        respawn_interval=0.5, workers_kill_timeout=30, backlog=BACKLOG, backpressure=CONNECTIONS // len(sockets),
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 << 10),
    )  # fmt: skip
    signal.signal(signal.SIGUSR1, workers.say_goodbye)
    workers.serve()
