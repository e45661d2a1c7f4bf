"""One generation: a worker on each of the sockets that it did not make, and does not close."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from tfmshop.platform.clock import monotonic
from tfmshop.surface.serving import ready
from tfmshop.surface.serving.ready import end_with_parent

END_SECONDS: Final = 30.0
"""How long workers may work on what they have begun."""
LOOK_SECONDS: Final = 0.05
SHORT_LIFE: Final = 5.0
"""Who ends so soon after its start, twice in a row, ends at each start."""

_HEARD: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
"""Held back around a fork: a child would hear them with its parent's ears."""

log = structlog.get_logger("serve")


class _Workers:
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
            for pid, code in self._ended():
                socket = self._sockets.pop(pid)
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
            for pid, _ in self._ended():
                del self._sockets[pid]
            if monotonic() > over:
                self._tell(signal.SIGKILL)
            time.sleep(LOOK_SECONDS)

    def _begin(self, socket: int) -> None:
        pid = self._start(socket)
        self._sockets[pid], self._began[pid] = socket, monotonic()

    def _ended(self) -> list[tuple[int, int]]:
        """Who ended since the last look, and with which code."""
        found = []
        for pid in list(self._sockets):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                found.append((pid, os.waitstatus_to_exitcode(status)))
        return found

    def _tell(self, number: signal.Signals) -> None:
        for pid in list(self._sockets):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _stop(self, *_: object) -> None:
        self._ending = True


def serve(target: str, sockets: Sequence[int], pipe: int, prepare: Callable[[], None], *, alone: bool) -> None:
    """Run workers until SIGTERM; each writes to the pipe when it can work, before which it takes no request unless
    nobody else does (`alone`). SIGUSR1 is the goodbye before the end. They end with their parent, too. SystemExit
    where they cannot start.
    """
    from tfmshop.surface.serving.worker import work

    end_with_parent()
    ready.tell_through(pipe, alone=alone)
    prepare()
    workers = _Workers(lambda socket: _forked(lambda: work(target, socket, len(sockets))), sockets)
    worked = workers.keep()
    workers.end()
    if not worked:
        sys.exit(1)


def _forked(work: Callable[[], int]) -> int:
    """Run `work` in a child, which ends with its code."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    if pid := os.fork():
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return pid
    code = 1
    try:
        end_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is somebody to say goodbye
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        code = work()
    except Exception as error:
        log.error("a worker does not work", exc_info=error)
    finally:
        sys.stderr.flush()
        os._exit(code)
