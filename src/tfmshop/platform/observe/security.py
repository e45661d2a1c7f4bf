"""Security events: each into the log, and a line into a file of its own for `tfmshop logs security`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from tfmshop.platform import clock, codec
from tfmshop.platform.observe.logs import hide_secrets

log = structlog.get_logger("security")
FOLDER: Final = "logs"
KEPT_DAYS: Final = 90
_file: dict[str, Path] = {}
asking: ContextVar[str] = ContextVar("the address that the request comes from", default="")


def keep_in(home: Path) -> None:
    """Write events below `home` from now on; without a folder that can be written they go to the log alone."""
    folder = home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        _file["folder"] = folder
    except OSError as error:
        log.warning("security events are not kept in files", folder=str(folder), why=error.strerror)


def tell(event: str, *, usual: bool = False, **facts: Any) -> None:
    """Note something that concerns the safety of the shop, `usual` or not; never sampled, each line whole."""
    if not facts.get("address") and (address := asking.get()):
        facts["address"] = address
    (log.info if usual else log.warning)(event, **facts)
    folder = _file.get("folder")
    if folder is None:
        return
    now = clock.now()
    hidden = hide_secrets(None, "", dict(facts))
    line = codec.encode({"@timestamp": now, "message": event, **hidden}) + b"\n"
    path = folder / f"security-{now:%Y-%m-%d}.log"
    try:
        if not path.exists():
            forget(folder, now)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(file, line)
        finally:
            os.close(file)
    except OSError as error:
        log.warning("security events are not kept in files", folder=str(folder), why=error.strerror)


def forget(folder: Path, now: datetime) -> None:
    """Drop the files of more than `KEPT_DAYS` ago: they have addresses of people."""
    first = f"security-{now - timedelta(days=KEPT_DAYS):%Y-%m-%d}.log"
    for file in folder.glob("security-*.log"):
        if file.name < first:
            file.unlink(missing_ok=True)


def told(home: Path, since: datetime) -> Iterator[dict[str, Any]]:
    """The events that were kept since a moment, oldest first; a line that was cut off is passed over."""
    first = f"security-{since:%Y-%m-%d}.log"
    for file in sorted(one for one in (home / FOLDER).glob("security-*.log") if one.name >= first):
        with file.open("rb") as lines:
            for line in lines:
                try:
                    event = codec.decode(line)
                    if datetime.fromisoformat(event["@timestamp"]) >= since:
                        yield event
                except (codec.Malformed, KeyError, TypeError, ValueError):
                    continue
