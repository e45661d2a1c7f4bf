"""Programs without their start: a process imports one once and forks for each run; a child is a process of its own.

It reads lines of JSON: arguments, folder, environment, where output goes; back comes the exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 120
LATE = "late"
PROGRAMS = {"tfmshop": ("tfmshop.app", "tfmshop.surface.cli.main", "pydantic"), "tests.crash": ("tests.crash",)}
"""What each needs to have imported."""


class Launcher:
    """A process for each program; started when it is first needed, ends with this one."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._turn = threading.Lock()

    def run(
        self, module: str, *arguments: str, cwd: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m MODULE ARGUMENTS` to its end. `TimeoutExpired` after two minutes."""
        with self._turn, tempfile.TemporaryDirectory() as folder:
            process = self._processes.get(module) or self._start(module)
            assert process.stdin is not None
            assert process.stdout is not None
            out, err = Path(folder, "out"), Path(folder, "err")
            process.stdin.write(json.dumps([arguments, str(cwd), environment, str(out), str(err)]) + "\n")
            process.stdin.flush()
            code = process.stdout.readline().strip()
            if code == LATE:
                raise subprocess.TimeoutExpired([module, *arguments], SECONDS, out.read_text(), err.read_text())
            return subprocess.CompletedProcess(arguments, int(code), out.read_text(), err.read_text())

    def _start(self, module: str) -> subprocess.Popen[str]:
        self._processes[module] = subprocess.Popen(
            [sys.executable, "-m", "tests.launch", module], cwd=Path(__file__).parents[1], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": "80"},
        )  # fmt: skip
        return self._processes[module]


def _main(module: str) -> None:
    for needed in PROGRAMS[module]:
        importlib.import_module(needed)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(module, *json.loads(line))
        sys.stdout.write(f"{_code(child)}\n")
        sys.stdout.flush()


def _code(child: int) -> str:
    deadline = time.monotonic() + SECONDS
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return str(os.waitstatus_to_exitcode(status))
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return LATE
        time.sleep(0.005)


def _run(module: str, arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    code: Any = 1
    try:
        for number, path in enumerate((os.devnull, out, err)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
            code = 1
    except Exception:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main(sys.argv[1])
