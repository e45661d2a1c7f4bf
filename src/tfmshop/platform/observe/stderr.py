"""Standard error for what is logged: written at once, since what stays in a buffer that cannot be written meets every
later writer and every child that is forked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from select import PIPE_BUF, select
from typing import Final, TextIO, cast

from tfmshop.platform.observe.files import STDERR, count_as_lost

PATIENCE: Final = 0.1
"""Seconds to wait for room where somebody made standard error non-blocking; after one in vain none, until there is."""


class _Last:
    """How the last line fared: whether a full disk cut it off, and whether it waited for room in vain."""

    cut = waited = False


def is_terminal() -> bool:
    """Whether a person reads along."""
    return _there() and sys.stderr.isatty()


def write(content: bytes) -> None:
    """Write whole lines, after what others have printed. What cannot be written, because the disk is full or nobody
    reads any more, is lost and counted. Without a standard error there is nothing to write to.
    """
    if not _there():
        return
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        number = sys.stderr.fileno()
        for piece in _pieces(b"\n" + content if _Last.cut else content):
            _put(number, piece)
    except (OSError, ValueError):
        count_as_lost(STDERR)


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
    return not getattr(sys.stderr, "closed", sys.stderr is None)


def _pieces(content: bytes) -> Iterator[bytes]:
    """As many whole lines together as no other thread or process gets between in a pipe (PIPE_BUF of POSIX)."""
    start = 0
    while start < len(content):
        end = start + PIPE_BUF
        if end < len(content):
            end = content.rfind(b"\n", start, end) + 1 or content.find(b"\n", end) + 1 or len(content)
        yield content[start:end]
        start = end


def _put(number: int, piece: bytes) -> None:
    left = piece
    try:
        while left:
            try:
                left = left[os.write(number, left) :]
            except BlockingIOError:
                _Last.waited = _Last.waited or not select([], [number], [], PATIENCE)[1]
                if _Last.waited:
                    raise
    finally:
        if len(left) < len(piece):
            _Last.cut, _Last.waited = bool(left), False
