"""The parent of a generation's workers: whoever dies is started again on the socket that it had."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from tfmshop.platform.clock import monotonic

END_SECONDS: Final = 30.0
"""How long workers may work on what they have begun."""
LOOK_SECONDS: Final = 0.05
SHORT_LIFE: Final = 5.0
"""Who ends so soon after its start, twice in a row, ends at each start."""
HEARD: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
"""Held back while a worker begins, which would hear them with its parent's ears: `start` lets it hear them."""

log = structlog.get_logger("serve")


class Workers:
    """The parent of a generation's workers."""

    def __init__(self, start: Callable[[int], int], sockets: Sequence[int]) -> None:
        self._start = start
        self._sockets: dict[int, int] = {}
        self._began: dict[int, float] = {}
        self._short = 0
        self._ending = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGUSR1, lambda *_: self._tell(signal.SIGUSR1))
        for socket in sockets:
            self._begin(socket)

    def keep(self) -> bool:
        """Have a worker on each socket until SIGTERM; False: they end as soon as they start."""
        while not self._ending:
            time.sleep(LOOK_SECONDS)
            for pid, socket, code in self._ended():
                self._short = self._short + 1 if monotonic() - self._began.pop(pid) < SHORT_LIFE else 0
                log.error("a worker ended and is started again", code=code)
                if self._short > 1:
                    return False
                self._begin(socket)
        return True

    def end(self) -> None:
        """End them, and wait until all have ended; who does not in time is killed."""
        self._tell(signal.SIGTERM)
        over = monotonic() + END_SECONDS
        while self._sockets:
            self._ended()
            if monotonic() > over:
                self._tell(signal.SIGKILL)
            time.sleep(LOOK_SECONDS)

    def _begin(self, socket: int) -> None:
        held = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        try:
            pid = self._start(socket)
            self._sockets[pid], self._began[pid] = socket, monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _ended(self) -> list[tuple[int, int, int]]:
        """Who ended since the last look, on which socket and with which code."""
        found = []
        for pid in list(self._sockets):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                found.append((pid, self._sockets.pop(pid), os.waitstatus_to_exitcode(status)))
        return found

    def _tell(self, number: signal.Signals) -> None:
        for pid in list(self._sockets):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _stop(self, *_: object) -> None:
        self._ending = True
