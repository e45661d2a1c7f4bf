"""How much memory a process has, and how much there is."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_CGROUP: Final = Path("/sys/fs/cgroup")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def resident(used: resource.struct_rusage) -> int:
    """Bytes that this process has, or had at most where that alone is known."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
    except OSError:
        return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def whole() -> tuple[int, int]:
    """How much memory there is for the whole container or machine, and how much of it is in use; 0 where unknown.

    A container's is its control group's (version 2), without what the kernel could drop; otherwise the machine's, from
    /proc/meminfo.
    """
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        used = int((_CGROUP / "memory.current").read_text()) - int(cached.get("inactive_file", 0))
        return limit, used
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        found = {name: int(amount) << 10 for name, amount, *_ in lines}
        return found["MemTotal:"], found["MemTotal:"] - found["MemAvailable:"]
    return 0, 0
