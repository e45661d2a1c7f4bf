"""Children of this process that do one thing and end with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def forked(work: Callable[[], object], failed: Callable[[Exception], None]) -> int:
    """Run `work` in a child, which hears signals as if it were new: its process id. OSError where there can be none.

    It ends with 0 or with the code that it exits with, and with 1 after an error, of which `failed` tells.
    """
    if pid := os.fork():
        return pid
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception as error:  # noqa: BLE001 - told, and the child ends
        failed(error)
    finally:
        os._exit(code)
