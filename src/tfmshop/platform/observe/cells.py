"""The numbers of a process where others can read them: 64 bits each, in a file that is mapped into memory.

Adding to a number is one write to memory, and what was added is there for whoever reads, also when the process is
killed right afterwards. Each process has a file of its own and holds a lock on it while it lives; whoever finds one
without its owner adds its counters to those of the gone and removes it, so that a sum never goes down.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

from tfmshop.platform import clock, codec
from tfmshop.platform.observe.blocks import (
    CELLS,
    INDEX,
    LENGTH,
    SCRATCH,
    SIZE,
    Block,
    Place,
    Values,
    is_alive,
    locked,
    of,
    read,
)


class Cells:
    """The numbers of this process: in its own memory, until `keep_in` gives them a file."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, Values], Place] = {}
        self._next = SCRATCH
        self._file = -1
        self._folder: Path | None = None
        self.process = f"process-{os.getpid()}"
        self._map(mmap.mmap(-1, SIZE))

    def _map(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.whole = memoryview(memory)[: 8 * CELLS].cast("q")
        self.real = memoryview(memory)[: 8 * CELLS].cast("d")

    def take(self, kind: str, name: str, values: Values, count: int) -> int:
        """The first of `count` cells in a row for a name and values, always the same ones."""
        if (found := self._places.get((kind, name, values))) is not None:
            return found.at
        place = Place(kind, name, values, self._next, count)
        if self._next + count > CELLS or not self._note([place]):
            return 0
        self._next += count
        self._places[kind, name, values] = place
        return place.at

    def _note(self, places: list[Place]) -> bool:
        """Add to the index, and say so last: who reads meanwhile sees what was there before."""
        lines, at = codec.encode_lines(places), self.whole[LENGTH]
        if at + len(lines) > INDEX:
            return False
        self._memory[8 * CELLS + at : 8 * CELLS + at + len(lines)] = lines
        self.whole[LENGTH] = at + len(lines)
        return True

    def keep_in(self, folder: Path, role: str) -> None:
        """Count in a file of `folder` from now on, beginning at nothing. `OSError` where it cannot be made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.process = f"{role}-{os.getpid()}"
        stem = folder / f"{self.process}-{clock.now():%Y%m%d%H%M%S%f}"
        with locked(folder):
            if not any(is_alive(file) for file in folder.glob("*.cells")):
                for old in [*folder.glob("*.cells"), folder / "gone.json"]:
                    old.unlink(missing_ok=True)
            self._file = os.open(stem.with_suffix(".cells"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.posix_fallocate(self._file, 0, SIZE)  # so that a disk that fills up later takes nothing from us
            self._map(mmap.mmap(self._file, SIZE))
            self._note(list(self._places.values()))
        self._folder = folder

    def leave(self) -> None:
        """Count in memory again; what was counted stays in the folder, with those that are gone."""
        if self._folder is not None:
            os.close(self._file)
        self._folder = None
        self._map(mmap.mmap(-1, SIZE))
        self._note(list(self._places.values()))

    def read(self) -> list[Block]:
        """The numbers of every process of the folder, or of this one alone."""
        if self._folder is None:
            return [of(self.process, self._memory[:])]
        return read(self._folder)
