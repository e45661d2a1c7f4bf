"""Logs: what is in a line, and what never is."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Thread, Timer

import pytest
import structlog

from tfmshop.platform import clock
from tfmshop.platform.observe import logs, stderr
from tfmshop.platform.observe.access import LONGEST_WAIT, MOST_LINES
from tfmshop.platform.observe.alerts import channels
from tfmshop.platform.observe.alerts.state import Firing
from tfmshop.platform.observe.files import LOST, STDERR

CANARY = "canary-4f7qk"


@pytest.fixture
def log():
    yield structlog.get_logger("test")
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_in_a_line(log, capfd, form):
    logs.configure("debug", form)

    def fails(password: str) -> None:
        hidden = {"authorization": password}
        assert hidden
        raise ValueError("it went wrong")

    try:
        fails(CANARY)
    except ValueError:
        log.exception("caught", password=CANARY, body={"card_number": CANARY, "deep": {"api_token": CANARY}},
                      items=[{"password": CANARY}, ({"cookie": CANARY},)])  # fmt: skip
    said = capfd.readouterr().err
    assert CANARY not in said
    assert "it went wrong" in said


def test_a_line_is_json_with_lists_and_names(log, capfd):
    logs.configure("info", "json")
    log.warning("stock is low", lowest=["A in main: 1"], more={"n": 1}, odd={1, 2}, level_of=object)
    line = json.loads(capfd.readouterr().err)
    assert (line["message"], line["lowest"], line["more"], line["log.level"]) == (
        "stock is low", ["A in main: 1"], {"n": 1}, "warning",
    )  # fmt: skip
    assert isinstance(line["odd"], str)


@pytest.mark.parametrize(("level", "shown"), [("error", False), ("warn", False), ("info", False), ("http", True),
                                              ("debug", True)])  # fmt: skip
def test_requests_are_shown_from_the_level_http_on(log, capfd, monkeypatch, level, shown):
    monkeypatch.setattr(logs, "_requests", structlog.get_logger("access"))
    logs.configure(level, "text")
    logs.access("GET", "/x", 200, "id", 0.25)
    said = capfd.readouterr().err
    assert ("/x" in said, "250.0" in said) == (shown, shown)


TOLD_TO_NOBODY = """
import asyncio, logging, os, structlog
from tfmshop.platform.observe import logs
from tfmshop.platform.observe.files import LOST, STDERR
from tfmshop.surface.serving.forks import forked
async def asked():
    logs.access("GET", "/x", 200, "id", 0.25)
    logs.flush()
logs.configure("http", "{form}")
for _ in range(100):
    structlog.get_logger("test").error("disk is full", reason="x" * 100)
logging.getLogger("library").warning("disk is full")
asyncio.run(asked())
_, ended = os.waitpid(forked(lambda: None, print), 0)
print(ended, LOST.of(STDERR).value)
"""


@pytest.mark.parametrize("form", ["json", "text", "auto"])
@pytest.mark.parametrize(("error", "lost"), [("2>/dev/full", 102), ("2>&0", 102), ("2>&-", 0)])
def test_the_shop_goes_on_and_ends_well_where_its_log_cannot_be_written(form, error, lost):
    """Without PYTHONUNBUFFERED, which hides a line that stays in a buffer: `-E`."""
    reading, nobody = os.pipe()
    os.close(reading)
    command = ["sh", "-c", f'exec "$@" {error}', "sh", sys.executable, "-E", "-c", TOLD_TO_NOBODY.format(form=form)]
    done = subprocess.run(command, stdin=nobody, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(nobody)
    assert (done.returncode, done.stdout) == (0, f"0 {lost}\n")


@contextmanager
def standard_error(monkeypatch, number):
    with os.fdopen(number, "w") as file, monkeypatch.context() as changed:
        changed.setattr(sys, "stderr", file)
        yield


def test_lines_wait_where_standard_error_is_full_for_a_moment(monkeypatch):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 1024)
    monkeypatch.setattr(stderr, "PATIENCE", 10)
    with standard_error(monkeypatch, writing):
        drained = Timer(0.01, lambda: os.read(reading, 1 << 20))
        drained.start()
        stderr.write(b"first\n")
        stderr.write(b"last\n")
        drained.join()
    with os.fdopen(reading) as lines:
        assert lines.read() == "first\nlast\n"


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(monkeypatch, tmp_path):
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with standard_error(monkeypatch, os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (9, most))
        try:
            for line in (b"first\n", b"second\n", b"third\n"):
                stderr.write(line)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
        stderr.write(b"last\n")
        stderr.write(b"very last\n")
    assert (tmp_path / "log").read_text() == "first\nsec\nlast\nvery last\n"


def test_lines_of_several_threads_stay_whole(monkeypatch):
    reading, writing = os.pipe()
    lines = {letter: [letter * length for length in (10, 100, 1000, 4000) * 50] for letter in "abc"}
    written: list[str] = []
    with os.fdopen(reading) as read:
        reader = Thread(target=lambda: written.extend(read))
        reader.start()
        with standard_error(monkeypatch, writing):
            _all_at_once([Thread(target=stderr.write, args=("\n".join([*of, ""]).encode(),)) for of in lines.values()])
        reader.join()
    assert sorted(written) == sorted(f"{line}\n" for of in lines.values() for line in of)


def _all_at_once(threads: list[Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_has_no_descriptor_is_no_reason_to_fail(monkeypatch):
    class Captured:
        def flush(self) -> None:
            """As it is."""

        def fileno(self) -> int:
            return -1

    monkeypatch.setattr(sys, "stderr", Captured())
    before = LOST.of(STDERR).value
    stderr.write(b"x\n")
    assert LOST.of(STDERR).value == before + 1


class Breaks:
    name = "mail"

    async def tell(self, shop: str, alerts: list[Firing]) -> None:
        raise OSError(shop)


async def test_lines_about_alerts_are_not_counted_as_lost(log, monkeypatch):
    """Or the alert about lost lines would be its own cause, and end and begin for ever."""
    about = Firing("LogLinesLost", {}, "warning", "resolved", 0.0, "", "", clock.now())
    with standard_error(monkeypatch, os.open("/dev/full", os.O_WRONLY)):
        logs.configure("info", "json")
        before = LOST.of(STDERR).value
        assert await channels.tell([channels.ByLog(), Breaks()], "Lamps", [about]) == {"mail": "OSError"}
        assert LOST.of(STDERR).value == before
        log.info("this one is")
        assert LOST.of(STDERR).value == before + 1


async def test_requests_are_lines_of_json_written_together(log, capfd):
    logs.configure("http", "json")
    paths = ['/a"b\\c\n\x1b[31m', "/ünïcode", "/x"]
    for path in paths:
        logs.access("GET", path, 404, "0123", 0.001239)
    assert capfd.readouterr().err == ""
    await asyncio.sleep(LONGEST_WAIT + 0.05)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["url.path"] for line in lines] == paths
    assert {name: lines[0][name] for name in lines[0] if name != "@timestamp"} == {
        "http.request.method": "GET", "url.path": paths[0], "http.response.status_code": 404,
        "http.request.id": "0123", "event.duration": 1_239_000,
    }  # fmt: skip
    assert abs(datetime.fromisoformat(lines[0]["@timestamp"]) - clock.now()) < timedelta(seconds=5)
    for _ in range(MOST_LINES):
        logs.access("GET", "/x", 200, "0123", 0.0)
    assert len(capfd.readouterr().err.splitlines()) == MOST_LINES
    logs.access("GET", "/last", 200, "0123", 0.0)
    logs.flush()
    assert "/last" in capfd.readouterr().err


def test_what_somebody_sent_starts_no_line_of_its_own(log, capfd):
    logs.configure("info", "text")
    log.warning("request", path="/a\n2026 [error] all is lost\x1b[31m")
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b[31m" not in said.replace("\x1b[0m", "")
