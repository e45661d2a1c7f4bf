"""One generation: a worker on each of the sockets that it did not make, and does not close."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

import structlog

from tfmshop.surface.serving import ready
from tfmshop.surface.serving.ready import end_with_parent
from tfmshop.surface.serving.workers import HEARD, Workers

log = structlog.get_logger("serve")


def serve(target: str, sockets: Sequence[int], pipe: int, prepare: Callable[[], None], *, alone: bool) -> None:
    """Run workers until SIGTERM; each writes to the pipe when it can work, before which it takes no request unless
    nobody else does (`alone`). SIGUSR1 is the goodbye before the end. They end with their parent, too. SystemExit
    where they cannot start.
    """
    from tfmshop.surface.serving.worker import work

    end_with_parent()
    ready.tell_through(pipe, alone=alone)
    prepare()
    workers = Workers(lambda socket: _forked(lambda: work(target, socket, len(sockets))), sockets)
    worked = workers.keep()
    workers.end()
    if not worked:
        sys.exit(1)


def _forked(work: Callable[[], int]) -> int:
    """Run `work` in a child, which ends with its code."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        end_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is somebody to say goodbye
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        code = work()
    except Exception as error:
        log.error("a worker does not work", exc_info=error)
    finally:
        sys.stderr.flush()
        os._exit(code)
