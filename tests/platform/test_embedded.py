"""Embedded servers: ours alone, ended when nobody needs them, never a stranger's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tfmshop.platform.embedded import CannotStart, Postgres, Redis
from tfmshop.platform.embedded import owner as owners


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="tfmshop-own-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text()


def test_a_stale_file_never_points_at_a_stranger(home):
    (home / "a").mkdir()
    (home / "b").mkdir()
    first, second = Postgres(home / "a"), Postgres(home / "b")
    first.start()
    second.start()
    second.stop()
    stranger = (home / "a" / "postgres" / "postmaster.pid").read_text().splitlines()
    (home / "b" / "postgres" / "postmaster.pid").write_text("\n".join(stranger) + "\n")
    third = Postgres(home / "b")
    assert "/b/" in third.start()
    third.stop()
    assert alive(int(stranger[0]))
    first.stop()
    assert not alive(int(stranger[0]))


def test_a_process_whose_folder_may_not_be_seen_is_known_by_its_command(home, monkeypatch):
    server = Postgres(home)
    server.start()
    pid = server._pid()

    def hidden(self, other):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "samefile", hidden)
        assert owners.works_in(pid, home / "postgres")
        assert not owners.works_in(pid, home / "other")
    server.stop()


def test_the_last_one_out_stops_the_server(home):
    first, second = Postgres(home), Postgres(home)
    assert first.start() == second.start()
    pid = first._pid()
    first.stop()
    assert alive(pid)
    second.stop()
    assert second._pid() is None
    first._process.wait()


def test_a_killed_server_is_revived_and_one_that_is_slow_is_not_doubled(home):
    redis = Redis(home)
    redis.start()
    first = redis._pid()
    assert not redis.revive()
    os.kill(first, signal.SIGSTOP)
    assert not redis.revive()
    os.kill(first, signal.SIGCONT)
    os.kill(first, signal.SIGKILL)
    redis._process.wait()
    assert redis.revive()
    assert redis._pid() not in {None, first}
    redis.stop()
    assert redis._pid() is None


def test_a_folder_with_other_files_is_left_alone(home):
    (home / "postgres").mkdir()
    (home / "postgres" / "letter.txt").write_text("dear")
    server = Postgres(home)
    with pytest.raises(CannotStart, match="holds files but no database"):
        server.start()
    assert (home / "postgres" / "letter.txt").read_text() == "dear"


def test_being_killed_while_making_the_database_leaves_nothing_half_made(home):
    command = [
        sys.executable, "-c",
        f"import pathlib, tfmshop.platform.embedded as e; e.Postgres(pathlib.Path({str(home)!r})).start()",
    ]  # fmt: skip
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 20
    while not list(home.glob("postgres.new.*/PG_VERSION")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    server = Postgres(home)
    assert server.start()
    server.stop()
