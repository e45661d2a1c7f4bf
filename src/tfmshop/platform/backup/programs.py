"""PostgreSQL's own programs: those of the machine, or those that came along."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from tfmshop.platform.backup.files import BackupFailed, Vault
from tfmshop.platform.embedded import CannotStart, postgres_programs

ALONE: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
"""What programs find in their environment: none of our settings."""
_DEBIAN: Final = Path("/usr/lib/postgresql")


def program(name: str, major: int, *, exact: bool = False) -> str:
    """A program that can deal with a server of that major version: a newer one can, too, unless it must be `exact`.
    `BackupFailed` says what to install.
    """
    for path in _places(name):
        if path.is_file():
            version = _major(path)
            if version == major or (version > major and not exact):
                return str(path)
    later, package = ("", "postgresql") if exact else (" or later", "postgresql-client")
    raise BackupFailed(f"There is no {name} of PostgreSQL {major}{later} on this machine: install its programs "
                       f"(Debian: {package}-{major}).")  # fmt: skip


def programs_of(major: int) -> Path:
    """The folder of a whole server of exactly that major version. `BackupFailed`."""
    return Path(program("postgres", major, exact=True)).parent


def _places(name: str) -> Iterator[Path]:
    found = shutil.which(name)
    if found is not None:
        yield Path(found)
    yield from sorted(_DEBIAN.glob(f"*/bin/{name}"))
    try:
        yield postgres_programs() / name
    except CannotStart:
        return


def _major(path: Path) -> int:
    said = subprocess.run([path, "--version"], check=False, capture_output=True, text=True, cwd="/").stdout  # noqa: S603
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else 0


def connected(url: str) -> tuple[str, dict[str, str]]:
    """An address without its password, which others could read in a list of processes, and an environment with it."""
    parts = urlsplit(url)
    environment = {**ALONE, "PGAPPNAME": "tfmshop backup"}
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    query = dict(parse_qsl(parts.query))
    if "password" in query:
        environment["PGPASSWORD"] = query.pop("password")
        parts = parts._replace(query=urlencode(query))
    return urlunsplit(parts), environment


@contextmanager
def output_of(command: list[str], environment: dict[str, str]) -> Iterator[IO[bytes]]:
    """What a program prints, as a stream; `BackupFailed` where it does not end well, with its last words. It is ended
    when the block is left early.
    """
    with _process(command, environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        yield process.stdout


@contextmanager
def input_of(command: list[str], environment: dict[str, str]) -> Iterator[IO[bytes]]:
    """A stream that a program reads; the same."""
    with _process(command, environment, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        yield process.stdin
        process.stdin.close()


@contextmanager
def _process(command: list[str], environment: dict[str, str], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, stderr=errors, cwd="/", start_new_session=True, **pipes)  # noqa: S603
        try:
            yield process
            process.wait()
        except BrokenPipeError:
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if process.returncode:
            errors.seek(0)
            words = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
            raise BackupFailed(f"{Path(command[0]).name}: {words[-1] if words else f'ended with {process.returncode}'}")


def kept(vault: Vault, name: str, command: list[str], environment: dict[str, str]) -> tuple[str, int, str]:
    """Keep what a program prints: the file, bytes and SHA-256. `BackupFailed`, and nothing is kept."""
    found: tuple[str, int, str] | None = None
    try:
        with output_of(command, environment) as stream:
            found = vault.write(name, stream)
    except BaseException:
        if found is not None:
            (vault.folder / found[0]).unlink(missing_ok=True)
        raise
    return found


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a program to its end. `BackupFailed`."""
    with output_of(command, environment) as stream:
        while stream.read(1 << 16):
            pass
