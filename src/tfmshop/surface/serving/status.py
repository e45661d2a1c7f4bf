"""What the process that stays says of itself, in a file for whoever wants a new generation of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from tfmshop.platform import codec


class Status(msgspec.Struct):
    """A web server: the process to signal, how many generations it has started, the release that answers, and how the
    last start went; `why` where it failed. `program` is what serves, `before` what served before it, where that is
    another one: SIGUSR2 has it serve again.
    """

    pid: int
    generation: int
    release: str
    state: Literal["starting", "serving", "failed", "stopping"]
    why: str = ""
    program: str = ""
    before: str = ""


def path_of(home: Path, port: int) -> Path:
    """The file of a server."""
    return home / f"serve-{port}.json"


def is_alive(pid: int) -> bool:
    """Whether that process is a web server of ours, and not a stranger whom a stale file names."""
    try:
        os.kill(pid, 0)
        return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else True
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True


def write_status(home: Path, port: int, status: Status) -> None:
    """Tell, all at once."""
    path = path_of(home, port)
    new = path.with_suffix(".new")
    new.write_bytes(codec.encode(status))
    new.replace(path)


def read_status(home: Path, port: int) -> Status | None:
    """What a server told; None where none does."""
    try:
        return codec.decode_as(path_of(home, port).read_bytes(), Status)
    except (OSError, codec.Malformed, codec.Unfit):
        return None
