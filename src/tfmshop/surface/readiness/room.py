"""Boxes about room on the machine: its disk, open files, and the port."""

from __future__ import annotations

import resource
import shutil
import socket
from pathlib import Path
from typing import Final

from tfmshop.surface.readiness.box import BEFORE, Place, Result, box, judged
from tfmshop.surface.serving import is_alive, read_status

FEW_FILES: Final = 4096


@box("disk and open files", BEFORE)
async def room(place: Place) -> Result:
    """There is room on the disk, and for connections."""
    failing, least = [], place.config.number("ALERT_DISK_FREE")
    for folder in {place.config.home, Path(place.config.text("BACKUP_FOLDER") or place.config.home)}:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        disk = shutil.disk_usage(there)
        if 100 * disk.free < least * disk.total:
            failing.append(f"{disk.free >> 20} MiB are free in {there}: Make room, or move it to a larger disk.")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        failing.append(f"a process may open {hard} files, so few connections: Raise the limit (ulimit -Hn).")
    return judged(failing, [], "there is room")


@box("port", BEFORE)
async def port(place: Place) -> Result:
    """The port of the web server is its own."""
    host, number = place.config.text("HOST"), place.config.number("PORT")
    status = read_status(place.config.home, number)
    if status is not None and is_alive(status.pid):
        return Result("pass", f"{number} is held by the web server, process {status.pid}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            return Result("fail", f"{host}:{number} cannot be listened on: {error.strerror}",
                          f"Choose another, as in PORT={number + 1}; `ss -ltnp` says who has it.")  # fmt: skip
    return Result("pass", f"{number} is free")
