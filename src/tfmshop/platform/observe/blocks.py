"""The files of numbers in a folder: those of living processes read, those of processes that are gone added up once."""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tfmshop.platform import codec

COUNTS: Final = "c"
"""The kind of what is added up, also over processes that are gone; every other kind goes with its process."""

CELLS: Final = 1 << 17
"""Numbers of a process."""
SCRATCH: Final = 64
"""The first cells take what has no place any more; the last of them is the length of the index."""
LENGTH: Final = SCRATCH - 1
INDEX: Final = 1 << 20
"""Bytes of the index, which is behind the numbers: a line of JSON for each series."""
SIZE: Final = 8 * CELLS + INDEX

Values = tuple[str, ...]


class Place(msgspec.Struct, array_like=True):
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


def read(folder: Path) -> list[Block]:
    """The numbers of every process that counts in a folder, and of those that are gone together."""
    if not folder.is_dir():
        return []
    blocks = []
    with locked(folder):
        gone = _gone(folder)
        dead = []
        for file in sorted(folder.glob("*.cells")):
            if is_alive(file):
                blocks.append(_load(file))
            else:
                dead.append((file, _load(file)))
        for file, block in dead:
            add(gone, file.name, block, {one.name for one in folder.glob("*.cells")})
        with suppress(OSError):  # a full disk: they are added up again the next time
            _bury(folder, gone, [file for file, _ in dead])
    counts = {(COUNTS, name, tuple(values)): cells for name, values, cells in gone.counts}
    return [*blocks, Block("", counts, {})]


def add(gone: _Gone, name: str, block: Block, there: set[str]) -> None:
    """Add the counts of a process that is gone to those of the others, once; another release may count otherwise."""
    if name in gone.files:
        return
    counts = {(name, tuple(values)): cells for name, values, cells in gone.counts}
    for (kind, metric, values), cells in block.whole.items():
        if kind == COUNTS:
            before = counts.get((metric, values)) or [0] * len(cells)
            if len(before) == len(cells):
                counts[metric, values] = [one + other for one, other in zip(before, cells, strict=True)]
    gone.files = [*(one for one in gone.files if one in there), name]
    gone.counts = [(metric, list(values), cells) for (metric, values), cells in counts.items()]


def _bury(folder: Path, gone: _Gone, files: list[Path]) -> None:
    """Write down what those counted that are gone, and remove their files."""
    if not files:
        return
    fresh = folder / "gone.tmp"
    fresh.write_bytes(codec.encode(gone))
    fresh.replace(folder / "gone.json")
    for file in files:
        file.unlink(missing_ok=True)


def _gone(folder: Path) -> _Gone:
    with suppress(FileNotFoundError, codec.Malformed, codec.Unfit):
        return codec.decode_as((folder / "gone.json").read_bytes(), _Gone)
    return _Gone()


def of(process: str, held: bytes) -> Block:
    """The numbers of a process, out of its file; what does not fit there is passed over."""
    whole, real = array("q", held[: 8 * CELLS]), array("d", held[: 8 * CELLS])
    block = Block(process, {}, {})
    for line in held[8 * CELLS : 8 * CELLS + whole[LENGTH]].splitlines():
        with suppress(codec.Malformed, codec.Unfit):
            place = codec.decode_as(line, Place)
            key, end = (place.kind, place.name, place.values), place.at + place.count
            if end <= CELLS and place.kind == COUNTS:
                block.whole[key] = whole[place.at : end].tolist()
            elif end <= CELLS:
                block.real[key] = real[place.at]
    return block


def _load(file: Path) -> Block:
    held = file.read_bytes()
    return of(file.stem.rpartition("-")[0], held) if len(held) == SIZE else Block(file.stem, {}, {})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else comes, goes or reads there inside the block."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def is_alive(file: Path) -> bool:
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
