"""Sharing one embedded server between the commands of an installation: the last one out turns it off."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Lease:
    """A shared claim on a server, kept by an operating-system lock, so it ends with the process that held it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._shared: int | None = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Only one process at a time looks whether the server runs and starts or stops it."""
        descriptor = os.open(self._file.with_suffix(".starting"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def take(self) -> None:
        """Claim the server; a second time changes nothing."""
        if self._shared is not None:
            return
        self._shared = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._shared, fcntl.LOCK_SH)

    def leave(self, running: Callable[[], int | None], farewell: signal.Signals, seconds: float) -> None:
        """Give the claim up; when nobody else has one, end the server (`running` tells its process) and wait for it.

        A server that does not heed the farewell in time gets SIGQUIT, then SIGKILL.
        """
        with self.starting():
            pid = running() if self._was_last() else None
            if pid is None:
                return
            os.kill(pid, farewell)
            deadline = time.monotonic() + seconds
            harder = [signal.SIGQUIT, signal.SIGKILL]
            while running() is not None and (harder or time.monotonic() < deadline):
                if time.monotonic() > deadline:
                    os.kill(pid, harder.pop(0))
                    deadline += seconds
                time.sleep(0.02)

    def _was_last(self) -> bool:
        if self._shared is None:
            return False
        descriptor, self._shared = self._shared, None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(descriptor)
