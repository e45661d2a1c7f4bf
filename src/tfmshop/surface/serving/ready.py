"""How a worker tells the process that stays that it can work; and that it does not outlive who started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import Final

_SIGNAL_AT_PARENTS_DEATH: Final = 1


class _Told:
    """Where to tell it: a pipe that every worker of a generation has from its parent."""

    pipe: int | None = None
    alone = True


def tell_through(pipe: int, *, alone: bool) -> None:
    """Workers that are forked from now on tell it here; those that are not alone take no request before."""
    _Told.pipe, _Told.alone = pipe, alone


def is_awaited() -> bool:
    """Whether others go on working until this worker can."""
    return _Told.pipe is not None and not _Told.alone


def end_with_parent() -> None:
    """Have the system end this process when the one that started it is gone, however it went. On Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGTERM)


def is_wanted() -> bool:
    """Whether somebody wants to hear it."""
    return _Told.pipe is not None


def say() -> None:
    """Tell that this worker can work."""
    if _Told.pipe is not None:
        with suppress(OSError):
            os.write(_Told.pipe, b"+")
