"""Standard error for what is logged: at once, since a buffer that cannot be written would meet every later writer and
every child that is forked.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

from tfmshop.platform.observe.files import LOST, STDERR


def is_terminal() -> bool:
    """Whether a person reads along."""
    return _there() and sys.stderr.isatty()


def write(content: bytes) -> None:
    """Write whole lines, after what others have printed. What cannot be written, because the disk is full or nobody
    reads any more, is lost and counted. Without a standard error there is nothing to write to.
    """
    if not _there():
        return
    try:
        sys.stderr.flush()
        while content:
            content = content[os.write(sys.stderr.fileno(), content) :]
    except OSError:
        LOST.of(STDERR).add()


def stream() -> TextIO:
    """The same for libraries that write text to a stream."""
    return cast("TextIO", _Stream())


class _Stream:
    """What they ask of it."""

    def write(self, text: str) -> None:
        write(text.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Nothing waits."""


def _there() -> bool:
    return sys.stderr is not None and not sys.stderr.closed
