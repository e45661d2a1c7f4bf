"""README's commands, run as README says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import call, environment, free_port, kill_group

ROOT = Path(__file__).parents[2]


class Up:
    """`make up` in a terminal of its own; `said` grows as it prints."""

    def __init__(self, home: Path, port: int) -> None:
        self.process = subprocess.Popen(
            ["make", "--no-print-directory", "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, env=environment(PORT=str(port), TFMSHOP_HOME=str(home)),
        )  # fmt: skip
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.said.extend(iter(output.readline, ""))

    def wait_until_it_says(self, words: str, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while words not in "".join(self.said):
            assert time.monotonic() < deadline, "".join(self.said)
            assert self.process.poll() is None, "".join(self.said)
            time.sleep(0.05)
        return "".join(self.said)

    def interrupt(self) -> str:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=60)
        self._reader.join()
        return "".join(self.said)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tfmshop-up-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def running_below(home: Path) -> list[str]:
    """The processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line:
            found.append(line)
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to look for processes")
def test_make_up_sells_and_stops_and_starts_again(home: Path):
    assert "make up" in (ROOT / "README.md").read_text()
    port = free_port()
    first = Up(home, port)
    try:
        first.wait_until_it_says("Ctrl-C stops everything.")
        said = "".join(first.said)
        line = re.search(r"^curl .*$", said, re.MULTILINE)
        assert line is not None
        answer = subprocess.run(["sh", "-c", line[0]], capture_output=True, text=True, check=True).stdout
        assert '"status":"paid"' in answer
        taken = subprocess.run(
            ["make", "--no-print-directory", "up"], cwd=ROOT, capture_output=True, text=True, check=False,
            env=environment(PORT=str(port), TFMSHOP_HOME=str(home)),
        )  # fmt: skip
        assert taken.returncode != 0
        assert f"Port {port} is taken" in taken.stderr
        assert call(f"http://127.0.0.1:{port}/health")[1]["status"] == "ok"
        assert "Stopped." in first.interrupt()
    finally:
        kill_group(first.process)
    assert running_below(home) == []

    second = Up(home, port)
    try:
        assert "applied" not in second.wait_until_it_says("The shop is open.")
        assert call(f"http://127.0.0.1:{port}/api/v1/products?count=exact")[1]["total"] == 60
        second.interrupt()
    finally:
        kill_group(second.process)
    assert running_below(home) == []


def test_killing_make_up_leaves_nothing_behind_but_the_data(home: Path):
    port = free_port()
    first = Up(home, port)
    first.wait_until_it_says("The shop is open.")
    kill_group(first.process)
    second = Up(home, port)
    try:
        deadline = time.monotonic() + 60
        while "The shop is open." not in "".join(second.said):
            assert time.monotonic() < deadline, second.said
            if second.process.poll() is not None:
                assert "is taken" in "".join(second.said)
                time.sleep(0.5)
                second = Up(home, port)
            time.sleep(0.1)
        second.interrupt()
    finally:
        kill_group(second.process)
    assert running_below(home) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own a folder that PostgreSQL's user cannot enter")
def test_root_below_a_folder_that_others_cannot_enter(home: Path):
    from tfmshop.platform.embedded import Postgres

    closed = home / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "shop" / ".tfmshop")
    try:
        url = server.start()
        assert "/var/lib/tfmshop/" in url
        assert (closed / "shop" / ".tfmshop" / "postgres").is_symlink()
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
        shutil.rmtree((closed / "shop" / ".tfmshop" / "postgres").resolve().parent)


def test_make_test_runs_the_tests_and_make_help_tells():
    told = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "pytest" in told
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"up", "test", "check", "bench", "lock"} <= set(told.split())
