"""`python -m torture.spoiled [--midnight SECONDS] [--leak] COMMAND ...`: the command `tfmshop`, prone to a fault.

With `--midnight` the clock of all its processes is so far ahead that it is midnight (UTC) in so many seconds. With
`--leak` each process keeps 20 MB more a second from the moment it gets LEAK until it gets STOP.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from tfmshop import __main__ as program
from tfmshop.platform import clock

kept: list[bytearray] = []
LEAK, STOP = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
"""Signals that the server has no use for itself."""
leaking = threading.Event()


def ahead(seconds: float) -> None:
    """Have it be midnight in so many seconds."""
    now = datetime.now(UTC)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    shift = tomorrow - timedelta(seconds=seconds) - now
    clock._now = lambda: datetime.now(UTC) + shift


def leak(*_: object) -> None:
    """Keep more and more, until somebody says stop."""

    def grow() -> None:
        while leaking.is_set() and len(kept) < 200:
            kept.append(bytearray(b"x" * 5_000_000))
            time.sleep(0.25)

    leaking.set()
    threading.Thread(target=grow, daemon=True).start()


def stop(*_: object) -> None:
    """Let go of everything."""
    leaking.clear()
    kept.clear()


def main() -> None:
    """Read our own arguments, and leave the rest to the command."""
    rest = sys.argv[1:]
    while rest and rest[0].startswith("--"):
        if rest.pop(0) == "--midnight":
            ahead(float(rest.pop(0)))
        else:
            signal.signal(LEAK, leak)
            signal.signal(STOP, stop)
    sys.argv[1:] = rest
    program.main()


if __name__ == "__main__":
    main()
