"""A shop of a million products and a million orders: seeded, copied, tried, restored and looked at, with times."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.harness import BIN, Figure, scratch_home, write

MILLION: Final = 1_000_000
MOST_MEMORY: Final = 300.0
"""MiB that a command may hold, as seeding and exporting (P8)."""
STEPS: Final = (
    ("backup", ["db", "backup"]), ("restored beside, and compared", ["db", "drill"]),
    ("restored in place, compared again", ["db", "restore", "--yes"]), ("all that must never be false", ["doctor"]),
)  # fmt: skip


def run(count: int = MILLION) -> bool:
    """Do all of it, one after another; whether each held no more memory than it may, and ended well."""
    with scratch_home() as home:
        steps = [("seed", ["seed", "full", "--products", str(count), "--orders", str(count), "--yes"]), *STEPS]
        figures = []
        for name, words in steps:
            seconds, memory = _finished(words, home)
            figures.append(Figure(f"{name}, s", "s", [seconds], [seconds], 0))
            figures.append(Figure(f"{name}: memory of the command", "MiB", [memory], [MOST_MEMORY], 1.0, True))
    notes = "Embedded servers; each command once. Times have no goal."
    return write("whole", f"{count:,} products and {count:,} orders", notes, figures)


def _finished(words: list[str], home: Path) -> tuple[float, float]:
    """Seconds that a command took, and the most memory that its own process held, in MiB. It must succeed."""
    began, most = time.monotonic(), 0
    process = subprocess.Popen([str(BIN / "tfmshop"), *words], env={**os.environ, "TFMSHOP_HOME": str(home)},
                               stdout=subprocess.DEVNULL)  # fmt: skip
    while process.poll() is None:
        with suppress(OSError):
            found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
            most = max(most, int(found[1])) if found else most
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"tfmshop {' '.join(words)} ended with {process.returncode}")
    return time.monotonic() - began, most / 1024
