"""The process that stays: it holds the port, and exchanges what answers behind it.

SIGHUP starts a new generation from what is installed now. Only when each of its workers can work do those before it say
goodbye; where it cannot, it is ended, and nobody who asks for a page sees anything of it. SIGUSR2 goes back to what
served before, in the same way.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import structlog

from tfmshop import __version__
from tfmshop.platform.clock import monotonic
from tfmshop.surface.serving.status import Status, path_of, write_status

GOODBYE_SECONDS: Final = 3.0
"""How long clients have to hear that their connection ends, where others answer already."""
STOP_SECONDS: Final = 40.0
"""How long a generation may take to end: what it works on gets 30 s."""
LONGEST_PAUSE: Final = 5.0

log = structlog.get_logger("serve")
Start = Callable[[int, bool], int]
"""Starts a generation that writes to a pipe when it can work, and takes requests before where it is alone: its
process."""
StartOf = Callable[[str], Start]
"""The same of a program."""


class _Generation:
    """A generation as its parent sees it."""

    def __init__(self, start: Start, workers: int, *, alone: bool) -> None:
        self._told, pipe = os.pipe()
        os.set_blocking(self._told, False)
        os.set_inheritable(pipe, True)
        try:
            self.pid = start(pipe, alone)
        finally:
            os.close(pipe)
        self._missing = workers
        self.began = monotonic()
        self.code: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether each of its workers said that it can work."""
        with suppress(BlockingIOError):
            self._missing -= len(os.read(self._told, 1024))
        return self._missing <= 0

    def is_alive(self) -> bool:
        """Whether it goes on."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                os.close(self._told)
        return self.code is None

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.is_alive():
            os.kill(self.pid, number)

    def end(self, wait: Callable[[float], None], seconds: float = STOP_SECONDS) -> None:
        """Have it finish what it works on, for so long at most."""
        self.tell(signal.SIGTERM)
        over = monotonic() + seconds
        while self.is_alive():
            if monotonic() > over:
                break
            wait(0.02)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # workers that outlived it would keep the port
        while self.is_alive():
            wait(0.02)


class Supervisor:
    """Keeps a generation going until SIGTERM or SIGINT; `run` gives the exit code."""

    def __init__(self, home: Path, port: int, workers: int, start_seconds: float, goodbye_seconds: float) -> None:
        """`start_seconds`: how long a new generation may take until it can work; `goodbye_seconds`: how long clients
        hear that the server ends, before it does.
        """
        self._start_seconds = start_seconds
        self._home, self._port, self._workers = home, port, workers
        self._goodbye_seconds = goodbye_seconds
        self._stopping = self._wants_new = self._wants_back = False
        self._status = Status(os.getpid(), 0, __version__, "starting")

    def run(self, first: Start, later: StartOf, installed: Callable[[], str]) -> int:
        """Start with one, go on with others: `installed` is the program of the release that is installed now."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._renew)
        signal.signal(signal.SIGUSR2, self._go_back)
        self._status.program = installed()
        current, pause = self._started(first, alone=True), 0.1
        try:
            while not self._stopping:
                self._wait(0.1)
                if not current.is_alive():
                    log.error("the workers ended and are started again", code=current.code)
                    self._wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    if not os.access(self._status.program, os.X_OK):
                        self._status.program = installed()
                    current = self._started(later(self._status.program), alone=True)
                elif self._wants_new:
                    self._wants_new = False
                    current = self._exchanged(current, later, installed())
                elif self._wants_back:
                    self._wants_back = False
                    if self._status.before:
                        current = self._exchanged(current, later, self._status.before)
                elif self._status.state == "starting" and current.is_ready:
                    pause = 0.1
                    self._say("serving")
            self._say("stopping")
            if self._goodbye_seconds:
                current.tell(signal.SIGUSR1)
                self._wait_until(monotonic() + self._goodbye_seconds)
        finally:
            current.end(time.sleep)
            path_of(self._home, self._port).unlink(missing_ok=True)
        return 0 if current.code in (0, -signal.SIGTERM) else 1

    def _started(self, start: Start, *, alone: bool) -> _Generation:
        self._status.generation += 1
        self._say("starting")
        return _Generation(start, self._workers, alone=alone)

    def _exchanged(self, current: _Generation, later: StartOf, program: str) -> _Generation:
        """The new generation, or the one before where the new one cannot work."""
        try:
            new = self._started(later(program), alone=False)
        except OSError as error:
            log.error("no new workers can be started: those before stay", why=error.strerror)
            self._say("failed", str(error.strerror))
            return current
        while not new.is_ready:
            late = monotonic() - new.began > self._start_seconds
            if late or self._stopping or not new.is_alive():
                why = f"it was not ready after {self._start_seconds:g} s" if late else f"it ended with {new.code}"
                new.end(time.sleep, 5.0)
                log.error("the new workers cannot work: those before stay", why=why)
                self._say("failed", why)
                return current
            self._wait(0.05)
        current.tell(signal.SIGUSR1)
        self._wait_until(monotonic() + max(GOODBYE_SECONDS, self._goodbye_seconds))
        current.end(time.sleep)
        before = self._status.program
        self._status.program, self._status.before = program, before if before != program else ""
        self._say("serving")
        return new

    def _say(self, state: Literal["starting", "serving", "failed", "stopping"], why: str = "") -> None:
        self._status.state, self._status.why = state, why
        try:
            write_status(self._home, self._port, self._status)
        except OSError as error:
            log.warning("what the server does is not told", why=error.strerror)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _renew(self, *_: object) -> None:
        self._wants_new = True

    def _go_back(self, *_: object) -> None:
        self._wants_back = True

    def _wait(self, seconds: float) -> None:
        """A signal ends the wait early."""
        select.select([], [], [], 0 if self._stopping else seconds)

    def _wait_until(self, moment: float) -> None:
        while (left := moment - monotonic()) > 0:
            time.sleep(min(left, 0.1))
