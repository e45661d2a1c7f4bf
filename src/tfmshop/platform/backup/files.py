"""The folder of backups: each is one file and a description beside it, which is written last.

What has no description was not finished and is no backup. Nothing is ever overwritten.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final, Literal

import msgspec
import structlog

from tfmshop.platform import clock, codec
from tfmshop.platform.backup.encryption import Key

Kind = Literal["dump", "base"]
ENCRYPTED: Final = ".age"
UNFINISHED: Final = ".unfinished"
KEPT: Final = 3
"""So many of a kind stay, however old they are."""
_PART: Final = 1 << 20

log = structlog.get_logger("app")


class BackupFailed(Exception):
    """A backup could not be made, opened or restored; the text is one clear sentence."""


class Backup(msgspec.Struct, frozen=True):
    """One backup: what it is of, and what must be found in it. A base backup brings a database back as it was at
    `ended` or, with the log that was received since, at any moment after it; a dump as it was at `began`. `rows` are
    those of each table, of dumps only; `wal` is the first segment of the log that a base backup needs.
    """

    name: str
    kind: Kind
    began: datetime
    ended: datetime
    file: str
    bytes: int
    sha256: str
    release: str
    revision: str
    server: int
    """The major version of PostgreSQL."""
    database: str
    user: str
    rows: dict[str, int] = {}
    broken: list[str] = []
    """What was false about the data when it was copied, and must never be."""
    wal: str = ""


@dataclass(frozen=True, slots=True)
class Vault:
    """Where backups are, and the key that closes them."""

    folder: Path
    key: Key | None = None

    @property
    def log(self) -> Path:
        """Where what PostgreSQL writes to its log is received."""
        return self.folder / "wal"

    def backups(self) -> list[Backup]:
        """Every finished backup, the newest first."""
        found = [one for path in self.folder.glob("*.json") if (one := _described(path)) is not None]
        return sorted(found, key=lambda one: one.ended, reverse=True)

    def find(self, name: str) -> Backup:
        """The backup of a name; `latest` is the newest. `BackupFailed`."""
        found = self.backups()
        for one in found:
            if name in (one.name, "latest"):
                return one
        raise BackupFailed(f"There is no backup {name!r} in {self.folder}: see `tfmshop db backups`.")

    def new_name(self, kind: Kind, now: datetime) -> str:
        """A name that nothing has yet. `BackupFailed` where the folder cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BackupFailed(f"Cannot write to {self.folder}: {error.strerror}. Set BACKUP_FOLDER.") from None
        name = f"{kind}-{now:%Y%m%dT%H%M%S}"
        taken = {path.name.partition(".")[0] for path in self.folder.iterdir()}
        return next(one for one in (name, *(f"{name}-{n}" for n in range(2, 1000))) if one not in taken)

    def write(self, name: str, source: IO[bytes]) -> tuple[str, int, str]:
        """Keep a stream, encrypted where there is a key: its file, bytes and SHA-256."""
        file = self.folder / f"{name}{ENCRYPTED if self.key else ''}"
        with created(file) as target:
            if self.key:
                self.key.close(source, target)
            else:
                shutil.copyfileobj(source, target, _PART)
        return file.name, file.stat().st_size, digest(file)

    def describe(self, backup: Backup) -> None:
        """From now on it is a backup."""
        with created(self.folder / f"{backup.name}.json") as target:
            target.write(codec.encode(backup))

    def open(self, backup: Backup, target: IO[bytes]) -> None:
        """Write out what is in a backup. `BackupFailed` where it is not what was kept."""
        file = self.folder / backup.file
        try:
            if digest(file) != backup.sha256:
                raise BackupFailed(f"{file} was changed after it was made: its SHA-256 differs.")
            self.unlock(file, target)
        except OSError as error:
            raise BackupFailed(f"{file}: {error.strerror or error}") from None

    def unlock(self, file: Path, target: IO[bytes]) -> None:
        """Write out a file of this folder, decrypted where it is encrypted. `BackupFailed`, OSError."""
        with file.open("rb") as source:
            if file.suffix != ENCRYPTED:
                shutil.copyfileobj(source, target, _PART)
            elif self.key is None:
                raise BackupFailed(f"{file.name} is encrypted: set BACKUP_KEY to the secret key that belongs to it.")
            else:
                try:
                    self.key.open(source, target)
                except ValueError as error:
                    raise BackupFailed(f"{file.name}: {error}.") from None

    def expire(self, days: int) -> list[str]:
        """Throw away what is older than so many days, but not the last few of a kind: the names of what went."""
        gone, found = [], self.backups()
        for kind in ("dump", "base"):
            for one in [one for one in found if one.kind == kind][KEPT:]:
                if clock.now() - one.ended > timedelta(days=days):
                    (self.folder / f"{one.name}.json").unlink(missing_ok=True)
                    (self.folder / one.file).unlink(missing_ok=True)
                    gone.append(one.name)
        needed = [one.wal for one in found if one.kind == "base" and one.name not in gone]
        for segment, path in self.segments().items() if needed else ():
            if not is_history(segment) and segment[8:] < min(wal[8:] for wal in needed):
                path.unlink(missing_ok=True)
        return gone

    def segments(self) -> dict[str, Path]:
        """The received segments of PostgreSQL's log by their names, in order, and the histories of its timelines; each
        name begins with its timeline.
        """
        whole = [path for path in self.log.glob("*") if path.is_file() and path.suffix != UNFINISHED]
        return dict(sorted((path.name.removesuffix(ENCRYPTED), path) for path in whole))


@contextmanager
def created(file: Path) -> Iterator[IO[bytes]]:
    """A new file that has its name, and is on the disk, only when the block ended well."""
    unfinished = file.with_name(f"{file.name}{UNFINISHED}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        unfinished.rename(file)
        keep_names(file.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def keep_names(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_history(segment: str) -> bool:
    """Whether a name is that of a timeline's history: it tells which log goes on where another ended."""
    return segment.endswith(".history")


def _described(path: Path) -> Backup | None:
    """What a description says; None where it is none that can be read."""
    try:
        return codec.decode_as(path.read_bytes(), Backup)
    except (OSError, codec.Malformed, codec.Unfit) as error:
        log.warning("a description of a backup cannot be read", file=str(path), why=str(error))
        return None


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
