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
    places: list[Place] = []
    with suppress(FileNotFoundError):
        for line in file.with_suffix(".index").read_bytes().splitlines():
            with suppress(codec.Malformed):
                places.append(codec.decode_as(line, Place))
    with file.open("rb") as cells:
        held = cells.read(8 * max((place.at + place.count for place in places), default=0))
    return block_of(file.stem.rpartition("-")[0], places, held)


def block_of(process: str, places: list[Place], held: bytes) -> Block:
    """The numbers of a process from its index and its cells."""
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
