"""The file of rows that an import could not use, with the reasons."""

from __future__ import annotations

from pathlib import Path

from tfmshop.commerce.transfer.errors import CannotImport
from tfmshop.commerce.transfer.read import Found
from tfmshop.platform import codec


class Rejects:
    """`FILE.rejects.jsonl` in the current folder; an import that goes on adds to it. `CannotImport`."""

    def __init__(self, file: Path, *, again: bool) -> None:
        self.path = Path(f"{file.name}.rejects.jsonl")
        try:
            self._sink = self.path.open("ab" if again else "wb")
        except OSError as error:
            raise CannotImport(why=f"Cannot keep rejected rows in {self.path}: {error.strerror}.") from None

    def add(self, refused: list[Found]) -> None:
        """Write rows, and have them on disk."""
        for found in refused:
            for line in found.lines:
                row = {"line": line.number, "reason": found.reason, "row": line.raw}
                self._sink.write(codec.encode(row) + b"\n")
        self._sink.flush()

    def close(self) -> None:
        """End the file."""
        self._sink.close()
