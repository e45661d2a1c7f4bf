"""What a process uses: memory, processor time, files; how late its event loop is; how much disk is left."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from tfmshop import __version__
from tfmshop.platform import clock
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import metrics
from tfmshop.platform.observe.memory import resident, whole
from tfmshop.platform.observe.metrics import Counter, Gauge, Over, SpentTime

MEMORY = Gauge("process_resident_memory_bytes", "Memory that a process has, in bytes.", over=Over.EACH)
CPU = SpentTime("process_cpu_seconds_total", "Processor time that the processes used, in seconds.")
FILES = Gauge("process_open_fds", "Files and sockets that a process has open.", over=Over.EACH)
STARTED = Gauge("process_start_time_seconds", "When a process started, in seconds since 1970.", over=Over.EACH)
LATE = Gauge("tfmshop_event_loop_lag_seconds", "How late the event loop was at its worst in the last second.",
             over=Over.MOST)  # fmt: skip
COLLECTED = Counter("tfmshop_gc_collections_total", "Runs of the garbage collector.", "generation")
LIMIT = Gauge("tfmshop_memory_limit_bytes", "Memory that all processes of the machine or container may have.",
              over=Over.MOST)  # fmt: skip
USED = Gauge("tfmshop_memory_used_bytes", "Memory of the machine or container that is in use.", over=Over.MOST)
DISK_FREE = Gauge("tfmshop_disk_free_bytes", "Room that is left on the disk of TFMSHOP_HOME.", over=Over.LEAST)
DISK_SIZE = Gauge("tfmshop_disk_size_bytes", "Size of the disk of TFMSHOP_HOME.", over=Over.MOST)
INFO = Gauge("tfmshop_info", "Always 1; the version that runs.", "version", over=Over.MOST)

METRICS: Final = "metrics"
"""Where the processes of an installation count, below TFMSHOP_HOME."""
SECOND: Final = 1.0
log = structlog.get_logger("process")


class Ticker:
    """Brings the gauges of this process up to date each second, and looks how late the event loop is."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._worst = 0.0
        self._ending = metrics.sampled(self._sample)
        self._task: asyncio.Task[None] | None = None
        STARTED.of().set(clock.now().timestamp())
        INFO.of(__version__).set(1)

    async def __aenter__(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._tick())

    async def __aexit__(self, *_: object) -> None:
        """End, with the gauges as they are at the end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        metrics.sample()
        self._ending()

    async def _tick(self) -> None:
        while True:
            due = monotonic() + SECOND
            await asyncio.sleep(SECOND)
            self._worst = monotonic() - due
            try:
                metrics.sample()
            except Exception as error:
                log.error("this process is not measured", exc_info=error)

    def _sample(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        MEMORY.of().set(resident(used))
        CPU.of().set(used.ru_utime + used.ru_stime)
        LATE.of().set(max(0.0, self._worst))
        with suppress(OSError):
            FILES.of().set(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names are enough
        for generation, statistics in enumerate(gc.get_stats()):
            COLLECTED.of(generation).set(statistics["collections"])
        with suppress(OSError):
            disk = shutil.disk_usage(self._home)
            DISK_FREE.of().set(disk.free)
            DISK_SIZE.of().set(disk.total)
        limit, in_use = whole()
        LIMIT.of().set(limit)
        USED.of().set(in_use)
