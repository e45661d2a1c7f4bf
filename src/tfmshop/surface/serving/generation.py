"""One generation: a worker on each of the sockets that it did not make, and does not close."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from tfmshop.surface.serving import ready
from tfmshop.surface.serving.forks import forked
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
    workers = Workers(partial(start, lambda socket: work(target, socket, len(sockets))), sockets)
    worked = workers.keep()
    workers.end()
    if not worked:
        sys.exit(1)


def start(work: Callable[[int], int], socket: int) -> int:
    """Have a child `work` on a socket, and end with the code of that; its process id."""

    def working() -> None:
        end_with_parent()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is somebody to say goodbye
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        sys.exit(work(socket))

    return forked(working, lambda error: log.error("a worker does not work", exc_info=error))
