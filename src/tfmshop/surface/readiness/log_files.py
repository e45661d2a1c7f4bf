"""Boxes about log files: they are written, and put away."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from tfmshop.platform import clock
from tfmshop.platform.observe.files import FOLDER, LogFiles, files, tidy
from tfmshop.surface.readiness.box import BEFORE, Place, Result, box


@box("log folder", BEFORE, mend="Have it belong to the user who serves, or set TFMSHOP_HOME.")
async def log_folder(place: Place) -> Result:
    """Log files can be written, and are."""
    folder = place.config.home / FOLDER
    await asyncio.to_thread(_written, folder)
    if not place.config.flag("ENABLE_FILE_LOGGING"):
        return Result("warn", f"{folder} can be written, and only security events are", "Set ENABLE_FILE_LOGGING=true.")
    return Result("pass", f"{folder} can be written")


@box("log rotation", BEFORE)
async def rotation(place: Place) -> Result:
    """A day that is over is compressed: tried in a folder of its own, and looked for in the real one."""
    return await asyncio.to_thread(_rotated, place.config.home / FOLDER, place.config.number("LOG_DAYS"))


def _written(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"x")
        probe.flush()


def _rotated(folder: Path, days: int) -> Result:
    today = clock.now().date()
    before = today - timedelta(days=1)
    with tempfile.TemporaryDirectory() as scratch:
        log = LogFiles()
        log.keep_in(Path(scratch))
        log.write("app", before, b'{"message":"a line"}\n')
        tidy(Path(scratch), today, days)
        log.close()
        if not (Path(scratch) / f"app-{before}.log.gz").exists():
            return Result("fail", "the file of a day that was over was not compressed", "See `tfmshop logs errors`.")
    left = [path.name for path, _, day in files(folder) if day < before and path.suffix != ".gz"]
    if left:
        return Result("fail", f"not compressed: {', '.join(left[:5])}", "Is a web server or job runner running here?")
    return Result("pass", "a day that is over is compressed, and none waits for it")
