"""Alerts about the machine: memory, disk, and processes that are late."""

from __future__ import annotations

from typing import Final

from tfmshop.platform import Config
from tfmshop.platform.observe import files, process
from tfmshop.platform.observe.alerts import Alert, Forecast, Growth, Limit, Mean, Now, Rate, Ratio, Selector
from tfmshop.surface.alerts.answers import HOUR, MINUTE

MIB: Final = 1 << 20
EACH: Final = Selector(process.MEMORY.name, by=("process",), over="max")
FREE: Final = Selector(process.DISK_FREE.name, over="min")


def alerts(config: Config) -> list[Alert]:
    """What runs out, and what will."""
    memory, disk = config.number("ALERT_MEMORY") / 100, config.number("ALERT_DISK_FREE") / 100
    used = Ratio(Now(Selector(process.USED.name, over="max")), Now(Selector(process.LIMIT.name, over="max")))
    free = Ratio(Now(FREE), Now(Selector(process.DISK_SIZE.name, over="max")))
    return [
        Alert(
            "MemoryHigh", [Limit(used, ">", memory, memory - 0.03)], 60, "critical", "{value} of the memory is in use.",
            "See which process has it in `tfmshop dashboard`; fewer WORKERS, or more memory.", "%",
        ),
        Alert(
            "MemoryGrows", [Limit(Growth(EACH, 90), ">", 1.5 * MIB), Limit(Now(EACH), ">", 300 * MIB)], 45, "warning",
            "The memory of {process} grows by {value} a second.",
            "Something keeps what it should let go: note what is asked for now, and restart the process.", "bytes",
        ),
        Alert(
            "DiskLow", [Limit(free, "<", disk, disk + 0.02)], 15, "critical",
            "{value} of the disk of TFMSHOP_HOME is free.",
            "Make room: LOG_DAYS, old backups, and what `tfmshop db sizes` shows.", "%",
        ),
        Alert(
            "DiskFillsUp", [Limit(Forecast(FREE, 30 * MINUTE, 4 * HOUR), "<", 0)], 600, "warning",
            "In four hours the disk of TFMSHOP_HOME will be full, if it goes on so.",
            "See what grows, before it stops the shop.",
        ),
        Alert(
            "LoopLate", [Limit(Mean(Selector(process.LATE.name, over="max"), MINUTE), ">", 0.25)], 60, "warning",
            "Requests wait {value} until a process looks at them.",
            "It computes too much, or shares its core: more WORKERS or cores.", "ms",
        ),
        Alert(
            "LogLinesLost", [Limit(Rate(Selector(files.LOST.name, by=("kind",)), 5 * MINUTE), ">", 0)], 0, "warning",
            "Log lines of {kind} cannot be written.",
            "Make room on the disk, let the shop write in its folder, or start it with a standard error that is read.",
        ),
    ]  # fmt: skip
