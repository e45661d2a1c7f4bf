"""What the log files say, plain and compressed ones: events since a moment, new ones as they come, errors in groups."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from tfmshop.platform import clock, codec
from tfmshop.platform.observe import files

Event = dict[str, Any]
PAUSE_SECONDS: Final = 0.3
_NUMBERS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+")
_FRAME: Final = re.compile(r'File "[^"]*?((?:tfmshop|tests)/[^"]+|[^"/]+)", line \d+, in (\S+)')


def events(folder: Path, kinds: Iterable[str], since: datetime) -> Iterator[Event]:
    """The events of some kinds since a moment, the oldest first; lines that are no events are passed over."""
    wanted = set(kinds)
    found = [path for path, kind, day in files.files(folder) if kind in wanted and day >= since.date()]
    read = (_events(path, since) for path in found)
    yield from sorted((event for part in read for event in part), key=lambda event: event["@timestamp"].rstrip("Z"))


class Follower:
    """What is written from the moment on that this is made."""

    def __init__(self, folder: Path, kinds: Iterable[str]) -> None:
        self._folder = folder
        self._kinds = list(kinds)
        self._places = {
            path: (path.stat().st_ino, path.stat().st_size)
            for path, _, _ in files.files(folder) if path.suffix == ".log"
        }  # fmt: skip

    def __iter__(self) -> Iterator[Event]:
        """Events without end, of the day before too: a line may come late."""
        while True:
            today = clock.now().date()
            for day in (today - timedelta(days=1), today):
                for kind in self._kinds:
                    yield from self._new(self._folder / f"{kind}-{day}.log")
            time.sleep(PAUSE_SECONDS)

    def _new(self, path: Path) -> Iterator[Event]:
        with suppress(FileNotFoundError), path.open("rb") as file:
            which = os.fstat(file.fileno()).st_ino
            known, place = self._places.get(path, (which, 0))
            place = place if known == which else 0  # put away meanwhile, and begun anew by a line that came late
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                place += len(line)
                self._places[path] = which, place
                if (event := _event(line)) is not None:
                    yield event


def _events(path: Path, since: datetime) -> Iterator[Event]:
    with suppress(FileNotFoundError, EOFError):
        for line in files.lines(path):
            event = _event(line)
            if event is not None and datetime.fromisoformat(event["@timestamp"]) >= since:
                yield event


def _event(line: bytes) -> Event | None:
    try:
        event = codec.decode(line)
        datetime.fromisoformat(event["@timestamp"])
    except (codec.Malformed, KeyError, TypeError, ValueError):
        return None
    return event if isinstance(event, dict) else None


@dataclass(slots=True)
class Group:
    """Errors that are one and the same: how often, when first and last, and the last of them."""

    fingerprint: str
    times: int
    first: str
    last: str
    event: Event


def grouped(found: Iterable[Event]) -> list[Group]:
    """Errors by fingerprint, the most frequent first."""
    groups: dict[str, Group] = {}
    for event in found:
        mark = fingerprint(event)
        group = groups.setdefault(mark, Group(mark, 0, event["@timestamp"], "", event))
        group.times += 1
        group.last, group.event = event["@timestamp"], event
    return sorted(groups.values(), key=lambda group: -group.times)


def fingerprint(event: Event) -> str:
    """What is the same of an error whenever it happens: its message without numbers and ids, the kind of exception,
    and where it was raised, without the line.
    """
    trace = str(event.get("error.stack_trace", ""))
    frames = _FRAME.findall(trace)
    kind = trace.rstrip().rpartition("\n")[2].partition(":")[0]
    same = "|".join([_NUMBERS.sub("#", str(event.get("message", ""))), kind, *(frames[-1] if frames else ())])
    return blake2b(same.encode(), digest_size=6).hexdigest()
