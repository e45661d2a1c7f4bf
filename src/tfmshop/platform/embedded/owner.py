"""Where an embedded server's files live and which user it runs as.

PostgreSQL refuses to run as root. When we are root, it runs as `nobody`; and when that user cannot enter the folder
of this installation, program and data go below /var/lib/tfmshop instead, with a link from where they would be. No
permission of a folder that is not ours is ever changed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = Path("/var/lib/tfmshop")
LONGEST_SOCKET_PATH = 100
"""Unix socket paths end at 107 bytes; PostgreSQL adds a name of its own."""


class CannotStart(Exception):
    """An embedded server cannot be started; the text is one clear sentence."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The system user that a server runs as; None is ourselves."""

    account: pwd.struct_passwd | None

    @property
    def spawn(self) -> dict[str, object]:
        """Arguments for subprocess that run a program as this user."""
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def take(self, folder: Path) -> None:
        """Make `folder` this user's, for nobody else."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.account is not None:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        folder.chmod(0o700)

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can pass through every folder above `folder`, and through it if it exists."""
        if self.account is None:
            return True
        chain = [folder, *folder.parents] if folder.exists() else list(folder.parents)
        return all(path.stat().st_mode & stat.S_IXOTH for path in chain if path.exists())


def choose() -> Owner:
    """Ourselves, or `nobody` when we are root."""
    if os.geteuid() != 0:
        return Owner(None)
    try:
        return Owner(pwd.getpwnam("nobody"))
    except KeyError:
        raise CannotStart(
            "PostgreSQL cannot run as root and there is no user 'nobody': run as another user, or set DATABASE_URL."
        ) from None


def prepare_home(home: Path) -> None:
    """Make the installation's folder; `CannotStart` says why it cannot be written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(f"Cannot write to {home}: {error.strerror}. Set TFMSHOP_HOME to a folder you own.") from None


def data_folder(home: Path, name: str, owner: Owner) -> Path:
    """The folder for a server's data: below `home`, or outside with a link when its user cannot get there."""
    wanted = home / name
    if wanted.is_symlink():
        return wanted.resolve()
    if owner.can_enter(home / "."):
        owner.take(wanted)
        return wanted
    outside = OUTSIDE / f"{home.parent.name}-{_digest(str(home))}" / name
    outside.parent.mkdir(parents=True, exist_ok=True)
    owner.take(outside)
    wanted.symlink_to(outside)
    return outside


def program_folder(package: Path, version: str, owner: Owner) -> Path:
    """The packaged server's folder, or a copy of it (and of its libraries) that the owner can reach."""
    if owner.can_enter(package):
        return package
    copy = OUTSIDE / f"programs-{version}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        for folder in (OUTSIDE, unfinished):
            folder.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:
            shutil.rmtree(unfinished)
    return copy / package.name


def socket_folder(data: Path, owner: Owner) -> Path:
    """A folder whose path is short enough for a Unix socket: `data` itself, or one below /tmp."""
    if len(os.fsencode(data)) <= LONGEST_SOCKET_PATH - len("/.s.PGSQL.5432"):
        return data
    short = Path("/tmp") / f"tfmshop-{os.geteuid()}-{_digest(str(data))}"  # noqa: S108 - ours alone, checked below
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid not in {
        os.geteuid(),
        owner.account.pw_uid if owner.account else -1,
    }:
        raise CannotStart(f"{short} belongs to someone else; choose a shorter folder for TFMSHOP_HOME.")
    owner.take(short)
    return short


def works_in(pid: int, data: Path) -> bool:
    """Whether that process is the server of that folder, and not a stranger whom a stale file names.

    Both servers change into their data folder, and name it in their command line, which tells where the former may
    not be seen. Where there is no /proc, being alive must do.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if not Path("/proc/self/cwd").exists():
        return True
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except PermissionError:
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:10]
