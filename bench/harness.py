"""Starting servers, loading them in turn, and writing down what came out."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tfmshop.surface.http.tiers import SETTING

RESULTS = Path(__file__).parent / "results"
BIN = Path(sys.executable).parent
CONNECTIONS = 16
SLICE, PAUSE = 0.5, 0.05
UNLIMITED = dict.fromkeys(SETTING.values(), "1000000000")
"""Rate limits that are counted and never reached: a load comes from one address."""


@dataclass(frozen=True)
class Figure:
    """One line of a table: a ratio, its goal, and what it was made of."""

    name: str
    unit: str
    ours: list[float]
    floor: list[float]
    goal: float
    at_most: bool = False
    """Whether less is better. A goal of 0 is none."""

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return not self.goal or (self.ratio <= self.goal if self.at_most else self.ratio >= self.goal)

    @property
    def ratio(self) -> float:
        """Ours over the floor, the median of the rounds: what slows the machine for a while slows both of a round."""
        return statistics.median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """Ours over the floor, round by round."""
        return [a / b for a, b in zip(self.ours, self.floor, strict=True)]

    @property
    def row(self) -> str:
        """The line in Markdown."""
        quarter = len(self.ratios) // 4
        half = sorted(self.ratios)[quarter : len(self.ratios) - quarter]
        met = ("met" if self.met else "MISSED") if self.goal else ""
        goal = f"{'<=' if self.at_most else '>='} {self.goal:.2f}" if self.goal else ""
        return (
            f"| {self.name} | {_figure(self.ours)} | {_figure(self.floor)} | {self.unit} "
            f"| **{self.ratio:.2f}** | {min(half):.2f}-{max(half):.2f} | {goal} | {met} |"
        )


def _figure(values: list[float]) -> str:
    median = statistics.median(values)
    return f"{median:,.0f}" if median >= 100 else f"{median:.2f}"


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A folder for embedded servers that goes away at the end."""
    home = Path(tempfile.mkdtemp(prefix="tfmshop-bench-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(command: list[str], url: str, environment: dict[str, str], log: Path | None = None) -> Iterator[int]:
    """Run a server until the block ends, which has its process; it starts when `url` answers. What the server says goes
    into `log`.
    """
    with (log or Path("/dev/stderr")).open("ab") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=output if log else None)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url, timeout=1).read()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"{command[0]} did not start") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=40)


def finished(command: list[str], environment: dict[str, str]) -> tuple[bytes, float]:
    """What a command printed, and the most memory it held, in MiB. It must succeed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
        output.seek(0)
        return output.read(), usage.ru_maxrss / 1024


def requests_per_second(
    url: str, *, seconds: int, connections: int, script: Path | None = None, argument: object = ""
) -> float:
    """Load `url` with wrk from one thread; a script makes its requests, beginning at its argument."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", str(script)] if script else []), url]
    command += ["--", str(argument)] if script else []
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return _told(output, r"Requests/sec:\s+([\d.]+)")


def _told(output: str, pattern: str) -> float:
    """A number of what wrk printed; there must be no errors."""
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"The server answered with errors:\n{output}")
    found = re.search(pattern, output)
    assert found is not None, output
    return float(found[1])


def alternate(name: str, ours: str, floor: str, rounds: int, seconds: int, goal: float) -> Figure:
    """Load both in turn, the one that begins changing, after a warm-up."""
    measured = in_turn([ours, floor], rounds, seconds)
    return Figure(name, "requests/s", measured[ours], measured[floor], goal)


def in_turn(urls: list[str], rounds: int, seconds: int) -> dict[str, list[float]]:
    """Requests a second of each, loaded one after another, another one beginning each time, after a warm-up."""
    measured: dict[str, list[float]] = {url: [] for url in urls}
    for url in urls:
        requests_per_second(url, seconds=1, connections=CONNECTIONS)
    for number in range(rounds):
        first = number % len(urls)
        for url in urls[first:] + urls[:first]:
            measured[url].append(requests_per_second(url, seconds=seconds, connections=CONNECTIONS))
    return measured


def in_slices(servers: dict[str, int], slices: int) -> list[float]:
    """Requests a second of each url, whose server has a process, in so many slices of SLICE s, by turns, warmed up.

    What the machine does meanwhile meets all. Each url has its own wrk, stopped while another has its slice, with PAUSE
    between. Taken off is what a server does in the PAUSE after its slice, and the share of a core that it takes while
    others have theirs: it takes that from them, or has put it off. Where it does neither, but works so all the time,
    that is counted twice. What it makes others do, the database and a collector of traces, is not counted out of turn.
    """
    for url in servers:
        requests_per_second(url, seconds=1, connections=CONNECTIONS)
    longest = int(2 * (slices + 1) * len(servers) * (SLICE + PAUSE)) + 10
    loads = [
        subprocess.Popen(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{longest}s", "--timeout", "20s", url],
            stdout=subprocess.PIPE,
            text=True,
        )
        for url in servers
    ]
    taken = [0.0 for _ in loads]
    try:
        for load in loads:
            load.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE)
        for number in range(slices):
            for turn, load in list(enumerate(loads))[:: 1 if number % 2 else -1]:
                before = [_cpu_seconds(pid) for pid in servers.values()]
                load.send_signal(signal.SIGCONT)
                time.sleep(SLICE)
                load.send_signal(signal.SIGSTOP)
                ended = [_cpu_seconds(pid) for pid in servers.values()]
                time.sleep(PAUSE)
                for each, pid in enumerate(servers.values()):
                    beside = (ended[each] - before[each]) / (len(loads) - 1)
                    taken[each] += beside if each != turn else _cpu_seconds(pid) - ended[each]
    finally:
        for load in loads:
            load.send_signal(signal.SIGINT)
            load.send_signal(signal.SIGCONT)
    seconds = slices * SLICE
    answered = [_told(load.communicate()[0], r"(\d+) requests in") for load in loads]
    return [count / seconds * (1 - more / seconds) for count, more in zip(answered, taken, strict=True)]


def _cpu_seconds(pid: int) -> float:
    """What a process, with threads that have ended, and its children have had of the processors."""
    own = time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid(3) makes of a process
    return own + sum(map(_cpu_seconds, map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())))


def stamp() -> str:
    """When, on what and where something is measured."""
    return (f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores.")  # fmt: skip


def _commit() -> str:
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
    return head.stdout.strip()


def write(name: str, title: str, notes: str, figures: list[Figure]) -> bool:
    """Print and keep the table; whether every goal was met."""
    commit, now = _commit(), datetime.now(UTC)
    table = "\n".join(
        [
            f"# {title}",
            "",
            f"{stamp()} {notes}", "",
            "| work | ours | floor | unit | ratio, median of rounds | half of them | goal | |",
            "|---|---|---|---|---|---|---|---|",
            *(figure.row for figure in figures), "",
        ]
    )  # fmt: skip
    print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(table)
    raw = [{"name": f.name, "ours": f.ours, "floor": f.floor, "ratio": f.ratio, "goal": f.goal} for f in figures]
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"at": now.isoformat(), "commit": commit, "figures": raw}, indent=1)
    )
    return all(figure.met for figure in figures)
