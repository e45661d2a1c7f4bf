"""The numbers of a process where others can read them: 64 bits each, in a file that is mapped into memory.

Adding to a number is one write to memory, and what was added is there for whoever reads, also when the process is
killed right afterwards. Each process has a file of its own and holds a lock on it while it lives; whoever finds one
without its owner adds its counters to those of the gone and removes it, so that a sum never goes down.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tfmshop.platform import clock, codec

CELLS: Final = 1 << 18
"""Numbers of a process; pages of the file that nobody wrote take no room."""
SCRATCH: Final = 64
"""The first cells take what has no place any more."""
COUNTS: Final = "c"
"""The kind of what is added up, also over processes that are gone; every other kind goes with its process."""

Values = tuple[str, ...]
Key = tuple[str, Values]


class _Place(msgspec.Struct, array_like=True):
    """A line of the index: what is kept in `count` cells from `at` on."""

    kind: str
    name: str
    values: Values
    at: int
    count: int


class _Gone(msgspec.Struct):
    """What processes counted that are gone, and their files, so that none is added twice."""

    files: list[str] = []
    counts: list[tuple[str, list[str], list[int]]] = []


@dataclass(frozen=True, slots=True)
class Block:
    """The numbers of one process: its name (empty for those that are gone), and cells by kind, name and values."""

    process: str
    whole: dict[tuple[str, str, Values], list[int]]
    real: dict[tuple[str, str, Values], float]


class Cells:
    """The numbers of this process: in its own memory, until `keep_in` gives them a file."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, Values], _Place] = {}
        self._next = SCRATCH
        self._index: int | None = None
        self._file: int | None = None
        self._folder: Path | None = None
        self.process = f"process-{os.getpid()}"
        self._map(mmap.mmap(-1, 8 * CELLS))

    def _map(self, memory: mmap.mmap) -> None:
        self.whole = memoryview(memory).cast("q")
        self.real = memoryview(memory).cast("d")

    def take(self, kind: str, name: str, values: Values, count: int) -> int:
        """The first of `count` cells in a row for a name and values, always the same ones."""
        found = self._places.get((kind, name, values))
        if found is not None:
            return found.at
        if self._next + count > CELLS:
            return 0
        at, self._next = self._next, self._next + count
        place = self._places[kind, name, values] = _Place(kind, name, values, at, count)
        if self._index is not None:
            os.write(self._index, codec.encode_lines([place]))
        return at

    def keep_in(self, folder: Path, role: str) -> None:
        """Count in a file of `folder` from now on, beginning at nothing. `OSError` where it cannot be made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.process = f"{role}-{os.getpid()}"
        stem = folder / f"{self.process}-{clock.now():%Y%m%d%H%M%S%f}"
        with _locked(folder):
            if not any(_is_alive(file) for file in folder.glob("*.cells")):
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
        for file in (self._index, self._file):
            if file is not None:
                os.close(file)
        self._index = self._file = self._folder = None
        self._map(mmap.mmap(-1, 8 * CELLS))

    def read(self) -> list[Block]:
        """The numbers of every process of the folder, or of this one alone."""
        if self._folder is None:
            return [_block(self.process, list(self._places.values()), self.whole[: self._next].tobytes())]
        return read(self._folder)


def read(folder: Path) -> list[Block]:
    """The numbers of every process that counts in a folder, and of those that are gone together."""
    if not folder.is_dir():
        return []
    blocks = []
    with _locked(folder):
        gone = _gone(folder)
        dead = []
        for file in sorted(folder.glob("*.cells")):
            if _is_alive(file):
                blocks.append(_load(file))
            else:
                dead.append((file, _load(file)))
        for file, block in dead:
            _bury(folder, gone, file, block)
    counts = {(COUNTS, name, tuple(values)): cells for name, values, cells in gone.counts}
    return [*blocks, Block("", counts, {})]


def _bury(folder: Path, gone: _Gone, file: Path, block: Block) -> None:
    """Add the counts of a process that is gone to those of the others, once, and remove its file."""
    if file.name not in gone.files:
        counts = {(name, tuple(values)): cells for name, values, cells in gone.counts}
        for (kind, name, values), cells in block.whole.items():
            if kind == COUNTS:
                before = counts.get((name, values)) or [0] * len(cells)
                counts[name, values] = [one + other for one, other in zip(before, cells, strict=True)]
        there = {one.name for one in folder.glob("*.cells")}
        gone.files = [*(one for one in gone.files if one in there), file.name]
        gone.counts = [(name, list(values), cells) for (name, values), cells in counts.items()]
        fresh = folder / "gone.tmp"
        fresh.write_bytes(codec.encode(gone))
        fresh.replace(folder / "gone.json")
    file.unlink(missing_ok=True)
    file.with_suffix(".index").unlink(missing_ok=True)


def _gone(folder: Path) -> _Gone:
    with suppress(FileNotFoundError, codec.Malformed):
        return codec.decode_as((folder / "gone.json").read_bytes(), _Gone)
    return _Gone()


def _load(file: Path) -> Block:
    places: list[_Place] = []
    with suppress(FileNotFoundError):
        for line in file.with_suffix(".index").read_bytes().splitlines():
            with suppress(codec.Malformed):
                places.append(codec.decode_as(line, _Place))
    with file.open("rb") as cells:
        held = cells.read(8 * max((place.at + place.count for place in places), default=0))
    return _block(file.stem.rpartition("-")[0], places, held)


def _block(process: str, places: list[_Place], held: bytes) -> Block:
    whole, real = array("q", held), array("d", held)
    block = Block(process, {}, {})
    for place in places:
        key, end = (place.kind, place.name, place.values), place.at + place.count
        if end > len(whole):
            continue
        if place.kind == COUNTS:
            block.whole[key] = whole[place.at : end].tolist()
        else:
            block.real[key] = real[place.at]
    return block


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _is_alive(file: Path) -> bool:
    """Whether the process that counts there lives: it holds the lock as long as it does."""
    try:
        cells = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(cells, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(cells)
    return False
