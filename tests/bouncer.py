"""PgBouncer as `deploy/` has it, in front of a database of the tests."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.processes import free_port
from tfmshop.platform.embedded.owner import choose

FILE = Path(__file__).parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"


@contextmanager
def bouncing(url: str, **settings: object) -> Iterator[str]:
    """The address of a PgBouncer with the settings of the file, but for those that are of this machine."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    place, port, owner = urlsplit(url), free_port(), choose()
    there = f"host={parse_qs(place.query)['host'][0]} dbname={place.path[1:]} user={place.username}"
    text = FILE.read_text().replace("host=127.0.0.1 port=5432 dbname=tfmshop", there)
    changes = {"listen_port": port, "auth_type": "any", "unix_socket_dir": "", **settings}
    for name in (*changes, "auth_file"):
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
    text += "".join(f"{name} = {value}\n" for name, value in changes.items())
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(text)
        file.flush()
        Path(file.name).chmod(0o644)
        process = subprocess.Popen([program, file.name], cwd="/", stderr=subprocess.PIPE, **owner.spawn)
        try:
            _wait(process, port)
            yield f"postgresql://{place.username}@127.0.0.1:{port}/tfmshop"
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        assert process.poll() is None, process.communicate()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("PgBouncer does not listen")
