"""Category trees from a file: a JSON list of categories, each with the path of names that leads to it."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tfmshop.commerce import catalog
from tfmshop.commerce.transfer.errors import CannotImport
from tfmshop.commerce.transfer.values import clean
from tfmshop.platform import codec
from tfmshop.platform.db import Tx

DEEPEST: Final = 20
LONGEST: Final = 200
LARGEST: Final = 64 << 20
"""Bytes of a file of categories, unpacked: it is held in memory as a whole."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What became of a file of categories; `skipped` entries have no usable path."""

    made: int
    skipped: int


def read_tree(file: Path) -> bytes:
    """The content of a file of categories, plain or with .gz. `CannotImport`, also when it is larger than `LARGEST`."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as source:
            content = source.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CannotImport(why=f"Cannot read {file}: {error}.") from None
    if len(content) > LARGEST:
        raise CannotImport(why=f"{file} has more than {LARGEST >> 20} MiB, unpacked.")
    return content


async def bring_in_tree(tx: Tx, content: bytes) -> Tree:
    """Add every category of the list that is not there yet. `CannotImport` when the file has nothing of the kind.

    An entry is `{"path": ["Home", "Lamps"]}` or `{"path": [{"name": "Home"}, {"name": "Lamps"}]}`.
    """
    try:
        entries = codec.decode(content)
    except codec.Malformed as error:
        raise CannotImport(why=f"The file is not JSON: {error}") from None
    paths = [path for entry in entries if (path := _path(entry))] if isinstance(entries, list) else []
    if not paths:
        raise CannotImport(why="The file is not a list of categories, each with a path of names.")
    return Tree(await catalog.arrange.make(tx, paths), len(entries) - len(paths))


def _path(entry: Any) -> tuple[str, ...] | None:
    parts = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(parts, list) or not 1 <= len(parts) <= DEEPEST:
        return None
    names = [part.get("name") if isinstance(part, dict) else part for part in parts]
    cleaned = tuple(clean(name)[:LONGEST] if isinstance(name, str) else "" for name in names)
    return cleaned if all(cleaned) else None
