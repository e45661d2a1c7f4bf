"""The files of logs: one for each kind and day (UTC), written by all processes at once, compressed afterwards.

A line goes to the file of its own day, whenever it is written, in one append. Whoever writes holds a shared lock for
that moment and sees that the file is still under its name; whoever puts a file away takes it from under its name while
nobody writes. So no line is lost or doubled at midnight, and a line that comes late starts the file of its day anew,
which is then added to what was compressed.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import struct
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from datetime import date, timedelta
from errno import EACCES
from io import BufferedWriter
from pathlib import Path
from typing import Final

from tfmshop.platform.observe.metrics import Counter

KINDS: Final = ("app", "error", "access", "performance", "security")
FOLDER: Final = "logs"
AWAY: Final = ".away"
"""The ending of a file that is being compressed."""
SECURITY_DAYS: Final = 90
"""Security events have addresses of people: they are kept for so long, whatever the others are."""
NAME: Final = re.compile(r"(\w+)-(\d{4}-\d\d-\d\d)\.log(\.gz|\.away)?")
MOST_KEPT: Final = 4 << 20
"""Bytes after which the kernel is told to forget lines: of each kind it holds about twice as many."""
_PART: Final = 1 << 20

STDERR: Final = "stderr"
LOST = Counter(
    "tfmshop_log_lines_lost_total",
    "Writes of log lines that failed, a full disk among them: to files of a kind, or to stderr.",
    "kind",
)

for kind in (*KINDS, STDERR):
    LOST.of(kind)

tells_of_alerts: ContextVar[bool] = ContextVar("whether what is logged tells of an alert", default=False)
"""Of such lines none is counted as lost: the alert about lost lines would be its own cause."""


def count_as_lost(kind: str) -> None:
    """Lines of a kind could not be written."""
    if not tells_of_alerts.get():
        LOST.of(kind).add()


class LogFiles:
    """Writes to `folder`, once there is one."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.kinds: frozenset[str] = frozenset()
        """What is kept in files."""
        self._open: dict[str, tuple[date, int]] = {}
        self._torn: set[str] = set()
        self._kept: dict[str, int] = {}
        """Bytes of a kind that were written since the kernel forgot them last."""
        self._turn = threading.Lock()

    def keep_in(self, folder: Path, kinds: Iterable[str] = KINDS) -> None:
        """Write these kinds to files of this folder from now on. `OSError` where that cannot be, yet."""
        self.close()
        self.folder, self.kinds = folder, frozenset(kinds)
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))

    def write(self, kind: str, day: date, lines: bytes) -> bool:
        """Add whole lines to the file of a kind and day; whether they are there."""
        if self.folder is None or kind not in self.kinds:
            return False
        with self._turn:
            return self._write(self.folder, kind, day, lines)

    def _write(self, folder: Path, kind: str, day: date, lines: bytes) -> bool:
        try:
            path = _path(folder, kind, day)
            while True:
                file = self._file(kind, day, path)
                fcntl.flock(file, fcntl.LOCK_SH)
                try:
                    if _is_at(file, path):
                        self._append(file, kind, lines)
                        return True
                finally:
                    fcntl.flock(file, fcntl.LOCK_UN)
                self._close(kind)
        except OSError:
            count_as_lost(kind)
            return False

    def _append(self, file: int, kind: str, content: bytes) -> None:
        """Write all of it; what a full disk cut off before is ended first, so that it spoils no other line."""
        if kind in self._torn:
            content = b"\n" + content
        left = content
        try:
            while left:
                left = left[os.write(file, left) :]
            self._torn.discard(kind)
        except OSError:
            if len(left) < len(content):
                self._torn.add(kind)
            raise
        self._leave_memory(file, kind, len(content))

    def _leave_memory(self, file: int, kind: str, more: int) -> None:
        """Have the kernel begin to write what there is to the disk, and forget what it wrote, now and then: nobody
        reads it soon, and the database wants the memory. In memory that was used before lines are written faster,
        too. That takes half a millisecond, or as long as the disk is busy.
        """
        self._kept[kind] = kept = self._kept.get(kind, 0) + more
        if kept >= MOST_KEPT and sys.platform == "linux":
            self._kept[kind] = 0
            with suppress(OSError, RuntimeError):  # no more files, or threads
                threading.Thread(target=_forget, args=(os.fdopen(os.dup(file), "ab"),), daemon=True).start()

    def close(self) -> None:
        """Let go of the files, of which the next line opens its own again."""
        with self._turn:
            for kind in list(self._open):
                self._close(kind)

    def _file(self, kind: str, day: date, path: Path) -> int:
        known = self._open.get(kind)
        if known is not None and known[0] == day:
            return known[1]
        self._close(kind)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self._open[kind] = (day, file)
        return file

    def _close(self, kind: str) -> None:
        self._kept.pop(kind, None)
        known = self._open.pop(kind, None)
        if known is not None:
            os.close(known[1])


FILES: Final = LogFiles()
"""The log files of this process."""


def tidy(folder: Path, today: date, kept_days: int) -> None:
    """Compress the files of days that are over and drop those that are too old; one process at a time."""
    lock = os.open(folder / ".tidy", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return
    try:
        for path, kind, day in files(folder):
            days = max(kept_days, SECURITY_DAYS) if kind == "security" else kept_days
            if day < today - timedelta(days=days):
                path.unlink(missing_ok=True)
            elif day < today and path.suffix != ".gz":
                _put_away(path)
    finally:
        os.close(lock)


def files(folder: Path) -> Iterator[tuple[Path, str, date]]:
    """Every log file with its kind and day, the oldest first; of one day, what was compressed first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        name = NAME.fullmatch(path.name)
        if name and name[1] in KINDS:
            with suppress(ValueError):
                found.append((date.fromisoformat(name[2]), (".gz", AWAY, None).index(name[3]), path, name[1]))
    for day, _, path, kind in sorted(found):
        yield path, kind, day


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a log file, compressed or not, but one that is not whole."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def _path(folder: Path, kind: str, day: date) -> Path:
    return folder / f"{kind}-{day}.log"


def _forget(file: BufferedWriter) -> None:
    with file, suppress(OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one under that name."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file)
    return (mine.st_ino, mine.st_dev) == (named.st_ino, named.st_dev)


def _put_away(path: Path) -> None:
    """Compress a file, adding to what was compressed of its day before. A kill at any moment loses and doubles nothing:
    what was taken away is added again only where it is not the end of what is compressed.
    """
    plain = path if path.suffix != AWAY else path.with_suffix("")
    away, packed = plain.with_name(plain.name + AWAY), plain.with_name(plain.name + ".gz")
    if not away.exists():
        file = os.open(plain, os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            plain.rename(away)
        finally:
            os.close(file)
    if not _ends_with(packed, away):
        fresh = plain.with_name(plain.name + ".tmp")
        with fresh.open("wb") as target:
            if packed.exists():
                with packed.open("rb") as before:
                    shutil.copyfileobj(before, target, _PART)
            with away.open("rb") as content, gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as member:
                shutil.copyfileobj(content, member, _PART)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(packed)
    away.unlink()


def _ends_with(packed: Path, plain: Path) -> bool:
    """Whether the last part of a compressed file is a plain one: by checksum and length, as gzip ends with."""
    if not packed.exists() or not plain.stat().st_size:
        return packed.exists()
    checksum = size = 0
    with plain.open("rb") as content:
        while part := content.read(_PART):
            checksum, size = zlib.crc32(part, checksum), size + len(part)
    with packed.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        return file.read() == struct.pack("<II", checksum, size & 0xFFFFFFFF)
