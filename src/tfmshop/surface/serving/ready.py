"""How a worker tells the process that stays that it can work."""

from __future__ import annotations

import os
from contextlib import suppress


class _Told:
    """Where to tell it: a pipe that every worker of a generation has from its parent."""

    pipe: int | None = None


def tell_through(pipe: int) -> None:
    """Workers that are forked from now on tell it here."""
    _Told.pipe = pipe


def is_wanted() -> bool:
    """Whether somebody wants to hear it."""
    return _Told.pipe is not None


def say() -> None:
    """Tell that this worker can work."""
    if _Told.pipe is not None:
        with suppress(OSError):
            os.write(_Told.pipe, b"+")
