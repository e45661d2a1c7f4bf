"""Rows of JSON-lines and CSV files, plain or compressed, one at a time with their line numbers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tfmshop.platform import codec

_OPENERS: Final = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
LONGEST_LINE: Final = 4 << 20
NOT_UTF8: Final = "not UTF-8 text"


class UnknownFormat(Exception):
    """The file is neither JSON lines nor CSV by its name; the text says which names are known."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row and where it stood: `row`, or the reason why it could not be read."""

    number: int
    row: dict[str, Any] | None
    problem: str = ""
    raw: str = ""


class _Bounded(io.BufferedIOBase):
    """What is read of a source until it is more than `most` bytes. OSError."""

    def __init__(self, source: Any, most: int) -> None:
        self._source, self._most, self._left = source, most, most

    def readable(self) -> bool:
        """Yes."""
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """Some bytes."""
        content: bytes = self._source.read1(size)
        self._left -= len(content)
        if self._left < 0:
            raise OSError(f"it is more than {self._most:,} bytes, unpacked")
        return content


class RowFile:
    """A file of rows. `position` is how many bytes of it (compressed as they are) have been read; `size` is all."""

    def __init__(self, path: Path, most: int | None = None) -> None:
        """`most` is how many bytes it may be, unpacked."""
        suffixes = [suffix.lower() for suffix in path.suffixes]
        self._decompress: Any = _OPENERS.get(suffixes[-1] if suffixes else "")
        kind = suffixes[-2:-1] if self._decompress else suffixes[-1:]
        if not kind or kind[0] not in {".jsonl", ".ndjson", ".json", ".csv"}:
            raise UnknownFormat(f"{path.name}: expected a name like products.jsonl, products.csv, or either with .xz")
        self._is_csv = kind[0] == ".csv"
        self._path = path
        self._most = most
        self._source: IO[bytes] | None = None
        self._read = 0
        self.columns: list[str] | None = None
        """The header of a CSV file, once a row was read."""
        self.size = path.stat().st_size

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._source.tell() if self._source is not None else self._read

    def lines(self) -> Generator[Line, None, None]:
        """Every row. OSError, EOFError or lzma.LZMAError when the file itself is broken, or too large unpacked."""
        with self._path.open("rb") as source:
            self._source = source
            with self._opened(source) as text:
                yield from self._csv_lines(text) if self._is_csv else _json_lines(text)
                self._read = source.tell()
            self._source = None

    def _opened(self, source: IO[bytes]) -> IO[str]:
        binary: Any = self._decompress(source, "rb") if self._decompress else source
        if self._most is not None:
            binary = _Bounded(binary, self._most)
        return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _csv_lines(self, text: IO[str]) -> Iterator[Line]:
        csv.field_size_limit(LONGEST_LINE)
        pieces = _Pieces(text)
        reader = csv.reader(pieces, strict=True)
        while True:
            pieces.characters = 0
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(reader.line_num, None, f"not CSV: {error}")
                continue
            raw = ",".join(fields)
            if self.columns is None:
                self.columns = [_shown(name.strip()) for name in fields]
            elif not _is_utf8(raw):
                yield Line(reader.line_num, None, NOT_UTF8, _shown(raw))
            elif len(fields) > len(self.columns):
                problem = f"{len(fields)} fields, the header has {len(self.columns)}"
                yield Line(reader.line_num, None, problem, raw)
            elif any(field.strip() for field in fields):
                row = dict(zip(self.columns, fields, strict=False))
                yield Line(reader.line_num, row, raw=codec.encode_text(row))


class _Pieces:
    """The lines of a text, of which one row may take so many characters. OSError."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.characters = 0
        """Of the row in hand."""

    def __iter__(self) -> _Pieces:
        """Itself."""
        return self

    def __next__(self) -> str:
        """One more line."""
        line = self._text.readline(LONGEST_LINE + 1)
        self.characters += len(line)
        if self.characters > LONGEST_LINE:
            raise OSError(f"a row is longer than {LONGEST_LINE:,} characters")
        if not line:
            raise StopIteration
        return line


def _json_lines(text: IO[str]) -> Iterator[Line]:
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if not line.endswith("\n") and len(line) >= LONGEST_LINE:
            while (rest := text.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                pass
            yield Line(number, None, f"longer than {LONGEST_LINE} characters", line[:200])
            continue
        if not line.strip():
            continue
        if not _is_utf8(line):
            yield Line(number, None, NOT_UTF8, _shown(line.rstrip("\n")))
            continue
        try:
            row = codec.decode(line)
        except codec.Malformed as error:
            yield Line(number, None, f"not JSON: {error}", line.rstrip("\n"))
            continue
        if isinstance(row, dict):
            yield Line(number, row, raw=line.rstrip("\n"))
        else:
            yield Line(number, None, "not a JSON object", line.rstrip("\n"))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
