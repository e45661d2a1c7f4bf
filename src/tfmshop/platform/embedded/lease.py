"""Sharing one embedded server between the commands of an installation: the last one out turns it off."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
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

    def leave(self) -> bool:
        """Give the claim up; True when nobody else has one."""
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
