"""What fires and what is silent, in files of an installation, for its commands and its other processes."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from tfmshop.platform import clock, codec

STATE, SILENCES, STALE = "alerts.json", "silences.json", timedelta(seconds=30)
"""The files, and how long ago alerts may have been worked out before nobody does."""


class Firing(msgspec.Struct):
    """An alert that is true: `pending` until it was so for long enough, then `firing`; told `resolved` at the end."""

    alert: str
    labels: dict[str, str]
    severity: str
    state: str
    value: float
    says: str
    mend: str
    since: datetime
    told_at: datetime | None = None
    silenced: bool = False


class Silence(msgspec.Struct, frozen=True):
    """Nobody is told of an alert until a moment; `alert` may be `*` for all."""

    alert: str
    until: datetime
    reason: str


class _State(msgspec.Struct):
    at: datetime
    alerts: list[Firing]


def shown(home: Path) -> tuple[datetime | None, list[Firing]]:
    """What is pending and firing, and when that was worked out last; None where nobody does."""
    with suppress(FileNotFoundError, codec.Malformed, codec.Unfit):
        state = codec.decode_as((home / STATE).read_bytes(), _State)
        return state.at, state.alerts
    return None, []


def now(home: Path) -> list[Firing]:
    """What is pending and firing; nothing where nobody works that out at present."""
    at, found = shown(home)
    return found if at and clock.now() - at < STALE else []


def silences(home: Path) -> list[Silence]:
    """Every silence, past ones too."""
    with suppress(FileNotFoundError, codec.Malformed, codec.Unfit):
        return codec.decode_as((home / SILENCES).read_bytes(), list[Silence])
    return []


def keep_shown(home: Path, at: datetime, every: list[Firing]) -> None:
    """Write down what is pending and firing at a moment."""
    _write(home / STATE, _State(at, every))


def keep_silences(home: Path, every: list[Silence]) -> None:
    """Write the silences anew; those that fire hear of it within seconds."""
    _write(home / SILENCES, every)


def _write(file: Path, value: object) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    fresh.write_bytes(codec.encode(value))
    fresh.replace(file)
