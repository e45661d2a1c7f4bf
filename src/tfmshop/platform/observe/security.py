"""Security events: each into the log, and a line into a file of its own for `tfmshop logs security`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import structlog

from tfmshop.platform import clock, codec
from tfmshop.platform.observe.logs import hide_secrets

log = structlog.get_logger("security")
FOLDER: Final = "logs"
_file: dict[str, Path] = {}


def keep_in(home: Path) -> None:
    """Write events below `home` from now on; without a folder that can be written they go to the log alone."""
    folder = home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        _file["folder"] = folder
    except OSError as error:
        log.warning("security events are not kept in files", folder=str(folder), why=error.strerror)


def tell(event: str, **facts: Any) -> None:
    """Note something that concerns the safety of the shop; never sampled, each line whole, whoever else writes."""
    log.warning(event, **facts)
    folder = _file.get("folder")
    if folder is None:
        return
    now = clock.now()
    hidden = hide_secrets(None, "", dict(facts))
    line = codec.encode({"@timestamp": now, "message": event, **hidden}) + b"\n"
    try:
        file = os.open(folder / f"security-{now:%Y-%m-%d}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(file, line)
        finally:
            os.close(file)
    except OSError as error:
        log.warning("security events are not kept in files", folder=str(folder), why=error.strerror)


def told(home: Path) -> Iterator[dict[str, Any]]:
    """The events that were kept, oldest first; a line that was cut off is passed over."""
    for file in sorted((home / FOLDER).glob("security-*.log")):
        for line in file.read_bytes().splitlines():
            try:
                yield codec.decode(line)
            except codec.Malformed:
                continue
