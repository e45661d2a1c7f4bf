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
from typing import Final

from tfmshop.platform import clock, codec
from tfmshop.platform.observe.blocks import Block, Place, Values, block_of, is_alive, locked, read

CELLS: Final = 1 << 18
"""Numbers of a process; pages of the file that nobody wrote take no room."""
SCRATCH: Final = 64
"""The first cells take what has no place any more."""


class Cells:
    """The numbers of this process: in its own memory, until `keep_in` gives them a file."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, Values], Place] = {}
        self._next = SCRATCH
        self._index = self._file = -1
        self._folder: Path | None = None
        self.process = f"process-{os.getpid()}"
        self._map(mmap.mmap(-1, 8 * CELLS))

    def _map(self, memory: mmap.mmap) -> None:
        self.whole = memoryview(memory).cast("q")
        self.real = memoryview(memory).cast("d")

    def take(self, kind: str, name: str, values: Values, count: int) -> int:
        """The first of `count` cells in a row for a name and values, always the same ones."""
        if (found := self._places.get((kind, name, values))) is not None:
            return found.at
        if self._next + count > CELLS:
            return 0
        at, self._next = self._next, self._next + count
        place = self._places[kind, name, values] = Place(kind, name, values, at, count)
        if self._folder is not None:
            os.write(self._index, codec.encode_lines([place]))
        return at

    def keep_in(self, folder: Path, role: str) -> None:
        """Count in a file of `folder` from now on, beginning at nothing. `OSError` where it cannot be made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.process = f"{role}-{os.getpid()}"
        stem = folder / f"{self.process}-{clock.now():%Y%m%d%H%M%S%f}"
        with locked(folder):
            if not any(is_alive(file) for file in folder.glob("*.cells")):
                for old in [*folder.glob("*.cells"), *folder.glob("*.index"), folder / "gone.json"]:
                    old.unlink(missing_ok=True)
            self._file = os.open(stem.with_suffix(".cells"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.ftruncate(self._file, 8 * CELLS)
            self._index = os.open(stem.with_suffix(".index"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            os.write(self._index, codec.encode_lines(list(self._places.values())))
        self._map(mmap.mmap(self._file, 8 * CELLS))
        self._folder = folder

    def leave(self) -> None:
        """Count in memory again; what was counted stays in the folder, with those that are gone."""
        for file in (self._index, self._file) if self._folder is not None else ():
            os.close(file)
        self._folder = None
        self._map(mmap.mmap(-1, 8 * CELLS))

    def read(self) -> list[Block]:
        """The numbers of every process of the folder, or of this one alone."""
        if self._folder is None:
            return [block_of(self.process, list(self._places.values()), self.whole[: self._next].tobytes())]
        return read(self._folder)
