"""Log files: nothing lost or doubled at midnight, by several processes, nor by a kill meanwhile."""

from __future__ import annotations

import ctypes
import gzip
import json
import mmap
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from tfmshop.platform import clock
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe import files, logs, told
from tfmshop.platform.observe.access import LEFT_OUT, AccessLog
from tfmshop.platform.observe.alike import Alike
from tfmshop.platform.observe.files import AWAY, LogFiles

DAY = date(2026, 3, 28)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def kept(tmp_path):
    found = LogFiles()
    found.keep_in(tmp_path)
    yield found
    found.close()


def numbers(folder):
    """Every line that is there, in files of any kind of writing."""
    return sorted(json.loads(line)["n"] for path, _, _ in files.files(folder) for line in files.lines(path))


def line(n):
    return b'{"n":%d}\n' % n


def _write(folder, first, count, together):
    own = LogFiles()
    own.keep_in(folder)
    together.wait(timeout=20)
    for n in range(first, first + count):
        day = DAY if n < first + count / 2 else NEXT
        own.write("app", day, line(n))
        if n % 50 == 0:
            files.tidy(folder, day, 14)
            time.sleep(0.004)


def test_processes_write_through_midnight_while_the_day_is_put_away(tmp_path):
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    writers = [context.Process(target=_write, args=(tmp_path, n * 10_000, 10_000, together)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    files.tidy(tmp_path, NEXT, 14)
    assert numbers(tmp_path) == list(range(20_000))
    assert {path.name for path, _, _ in files.files(tmp_path)} >= {f"app-{DAY}.log.gz", f"app-{NEXT}.log"}


def test_a_line_that_comes_late_is_added_to_its_day(kept, tmp_path):
    for n in (1, 2):
        kept.write("app", DAY, line(n))
        files.tidy(tmp_path, NEXT, 14)
        assert [path.name for path in tmp_path.glob("app*")] == [f"app-{DAY}.log.gz"]
    assert numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize("moment", ["taken away", "compressed", "half compressed"])
def test_a_kill_while_a_file_is_put_away_costs_nothing(kept, tmp_path, moment):
    kept.write("app", DAY, line(1))
    files.tidy(tmp_path, NEXT, 14)
    kept.write("app", DAY, line(2))
    away = (tmp_path / f"app-{DAY}.log").rename(tmp_path / f"app-{DAY}.log{AWAY}")
    packed = tmp_path / f"app-{DAY}.log.gz"
    if moment == "compressed":
        packed.write_bytes(packed.read_bytes() + gzip.compress(away.read_bytes()))
    elif moment == "half compressed":
        (tmp_path / f"app-{DAY}.log.tmp").write_bytes(b"half")
    kept.write("app", DAY, line(3))
    files.tidy(tmp_path, NEXT, 14)
    files.tidy(tmp_path, NEXT, 14)
    assert numbers(tmp_path) == [1, 2, 3]
    assert not list(tmp_path.glob(f"*{AWAY}"))


def test_old_files_go_and_security_events_stay_longer(kept, tmp_path):
    for kind in ("app", "security"):
        for days in (1, 14, 15, 90, 91):
            kept.write(kind, NEXT - timedelta(days=days), line(days))
    (tmp_path / "app-notes.txt").write_text("mine")
    files.tidy(tmp_path, NEXT, 14)
    left = {(kind, (NEXT - day).days) for _, kind, day in files.files(tmp_path)}
    assert left == {("app", 1), ("app", 14), *(("security", days) for days in (1, 14, 15, 90))}
    assert (tmp_path / "app-notes.txt").exists()


def test_a_full_disk_is_counted_and_nobody_is_troubled(tmp_path):
    own = LogFiles()
    own.keep_in(tmp_path)
    own.folder = tmp_path / "gone"
    before = files.LOST.of("app").value
    assert not own.write("app", DAY, line(1))
    assert files.LOST.of("app").value == before + 1


def test_where_no_files_can_be_that_is_said_and_lines_are_counted_as_lost(tmp_path):
    (tmp_path / "logs").write_text("no folder")
    kept, before = LogFiles(), files.LOST.of("app").value
    with pytest.raises(FileExistsError):
        kept.keep_in(tmp_path / "logs")
    assert not kept.write("app", DAY, line(1))
    assert files.LOST.of("app").value == before + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        LogFiles().keep_in(tmp_path)
    tmp_path.chmod(0o700)


def test_whole_seconds_are_in_their_order(kept, tmp_path):
    moments = ["2026-03-28T10:00:00Z", "2026-03-28T10:00:00.5Z", "2026-03-28T10:00:01Z"]
    for n in (2, 1, 0):
        kept.write("app", DAY, b'{"@timestamp":"%b"}\n' % moments[n].encode())
    found = told.events(tmp_path, ["app"], datetime(2026, 3, 1, tzinfo=UTC))
    assert [event["@timestamp"] for event in found] == moments


@pytest.fixture
def all_kinds(kept, monkeypatch):
    for module in (files, logs):
        monkeypatch.setattr(module, "FILES", kept)
    monkeypatch.setattr("tfmshop.platform.observe.access.FILES", kept)
    logs.configure("info", "json")
    logs.slow_from(request=1, query=1, job=1)
    yield
    logs.slow_from(request=float("inf"), query=float("inf"), job=float("inf"))
    structlog.reset_defaults()


def test_events_go_where_they_belong_and_are_found_by_kind(all_kinds, tmp_path, capfd):
    token = logs.asked.set(("request-1", "0af7651916cd43dd8448eb211c80319c"))
    structlog.get_logger("x").warning("careful", password="canary", address="192.0.2.1")
    logs.slow("query", name="orders.find", seconds=2.0)
    for n in (1, 2):
        try:
            raise ValueError(f"order {n} is broken")
        except ValueError as error:
            structlog.get_logger("y").error(f"job {n} failed", exc_info=error)
    logs.asked.reset(token)
    since = clock.now() - timedelta(minutes=1)
    (careful, *_) = told.events(tmp_path, ["app"], since)
    assert (careful["message"], careful["password"], careful["client.address"]) == ("careful", "(hidden)", "192.0.2.1")
    assert (careful["http.request.id"], careful["trace.id"]) == ("request-1", "0af7651916cd43dd8448eb211c80319c")
    (slow,) = told.events(tmp_path, ["performance"], since)
    assert (slow["message"], slow["name"]) == ("slow query", "orders.find")
    (group,) = told.grouped(told.events(tmp_path, ["error"], since))
    assert (group.times, group.event["message"]) == (2, "job 2 failed")
    assert len(list(told.events(tmp_path, ["app"], since))) == 3


@pytest.fixture
def moment(monkeypatch):
    """When it is for the access log, in seconds: a list of one, for a test to change."""
    now = [1000.0]
    monkeypatch.setattr("tfmshop.platform.observe.access.monotonic", lambda: now[0])
    return now


@pytest.fixture
def lines(kept, tmp_path, monkeypatch):
    """The lines of requests in the file, in order."""
    monkeypatch.setattr("tfmshop.platform.observe.access.FILES", kept)
    return lambda: [json.loads(line) for path, _, _ in files.files(tmp_path) for line in files.lines(path)]


def gaps(lines):
    """The id of each, and how many before it have none."""
    return [(line["http.request.id"], line.get("tfmshop.unlogged", 0)) for line in lines]


def at_once(status, first, count, parent=None):
    alike = Alike("/x", "/x", status)
    return [(alike, str(n), 999 + n / 1000, 1000 + n / 1000, parent) for n in range(first, first + count)]


async def test_without_room_only_what_failed_has_a_line(moment, lines):
    none = AccessLog(shown=False, rate=0)
    for status in (200, 404, 500, 503, 504):
        none.note("GET", "/x", status, str(status), 0.1)
    none.note_all(at_once(304, 0, 5) + at_once(503, 5, 5), 10)
    none.note_all([], 0)
    none.flush()
    assert gaps(lines()) == [("500", 2), ("503", 0), ("504", 0)]


async def test_lines_of_answers_at_once_say_how_many_have_none(moment, lines, capfd):
    few, left_out = AccessLog(shown=True, rate=10), LEFT_OUT.of().value
    assert few.room_at_once() == 10
    few.note_all(at_once(200, 0, 12, b"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"), 25)
    few.flush()
    assert gaps(lines()) == [(str(n), 0) for n in range(10)]
    assert capfd.readouterr().err.splitlines() == [json.dumps(line, separators=(",", ":")) for line in lines()]
    assert {line["trace.id"] for line in lines()} == {"0af7651916cd43dd8448eb211c80319c"}
    came = [datetime.fromisoformat(line["@timestamp"]).timestamp() for line in lines()]
    assert all(-0.1 < number - 1000 * (at - came[0]) < 1.1 for number, at in enumerate(came))
    assert came[-1] > came[0]
    few.note_all(at_once(200, 25, 7), 7)
    few.flush()
    assert (len(lines()), few.room_at_once()) == (10, 0)
    moment[0] += 0.375
    few.note_all(at_once(200, 32, 2), 2)
    few.flush()
    assert gaps(lines()[10:]) == [("32", 22), ("33", 0)]
    moment[0] += 60
    assert few.room_at_once() == 10
    few.note_all(at_once(503, 34, 10), 103)
    few.flush()
    assert gaps(lines()[12:]) == [(str(n), 0) for n in range(34, 44)]
    moment[0] += 0.125
    few.note_all(at_once(200, 137, 1), 1)
    few.flush()
    assert gaps(lines()[22:]) == [("137", 93)]
    assert LEFT_OUT.of().value - left_out == sum(gap for _, gap in gaps(lines())) == 138 - len(lines())


async def test_a_flood_of_some_leaves_others_their_lines(moment, lines):
    few = AccessLog(shown=False, rate=10)
    few.note_all(at_once(200, 0, 10), 1000)
    for number in range(15):
        few.note("POST", "/x", 404, f"post-{number}", 0.1)
    few.note("POST", "/x", 500, "failed", 0.1)
    moment[0] += 0.125
    few.note("POST", "/x", 201, "later", 0.1)
    few.note_all(at_once(200, 1000, 1), 50)
    few.flush()
    found = gaps(lines())
    assert [one for one in found if one[0].isdigit()] == [*[(str(number), 0) for number in range(10)], ("1000", 990)]
    assert [one for one in found if not one[0].isdigit()] == [
        *[(f"post-{number}", 0) for number in range(10)], ("failed", 5), ("later", 0)
    ]  # fmt: skip
    moments = [line["@timestamp"] for line in lines()]
    assert moments == sorted(moments)


async def test_of_a_long_path_the_beginning_is_told(kept, lines, monkeypatch):
    monkeypatch.setattr(logs._Access, "lines", AccessLog(shown=False))
    logs.access("GET", "/" + 60_000 * "x", 414, "id", 0.1)
    logs._Access.lines.flush()
    logs.answered([(Alike("/" + 8000 * "y", "/x", 503), "id", monotonic() - 0.1, monotonic(), None)], 1)
    logs.flush()
    assert [line["url.path"] for line in lines()] == ["/" + 511 * letter for letter in "xy"]


@pytest.fixture
def disk():
    """A folder on a disk: where tests usually are may be memory altogether."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", "/var/tmp"], check=False, capture_output=True, text=True).stdout
    if sys.platform != "linux" or kind.strip() in ("", "tmpfs"):
        pytest.skip("needs Linux, and a disk at /var/tmp")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as found:
        yield Path(found)


def test_what_is_on_the_disk_takes_no_memory(kept, disk, monkeypatch):
    advised, advise = [], os.posix_fadvise
    monkeypatch.setattr(os, "posix_fadvise", lambda *about: (advised.append(about), advise(*about)))
    kept.keep_in(disk)
    some, written = b'{"n":1,"pad":"%b"}\n' % (b"x" * 1000) * 800, 0
    until = time.monotonic() + 30
    while len(advised) < 2 or begins_in_memory(disk / f"app-{DAY}.log"):
        assert time.monotonic() < until, "the kernel keeps all of it"
        assert kept.write("app", DAY, some)
        written += len(some)
        time.sleep(0.01)
    assert numbers(disk) == [1] * (written // len(some) * 800)
    assert len(advised) <= written / files.MOST_KEPT


def test_a_line_is_written_whatever_becomes_of_the_advice(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_KEPT", 1)
    for fails in ("posix_fadvise", "dup"):
        monkeypatch.setattr(os, fails, lambda *_: os.close(-1), raising=False)
        assert all(kept.write("app", DAY, line(n)) for n in range(3))
    assert (tmp_path / f"app-{DAY}.log").read_bytes() == b"".join(map(line, range(3))) * 2


def begins_in_memory(path):
    """Whether the kernel has the first page of a file at hand (mincore(2))."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), mmap.PAGESIZE, access=mmap.ACCESS_COPY) as page:
        first, found = ctypes.c_char.from_buffer(page), ctypes.c_ubyte()
        try:
            assert not ctypes.CDLL(None).mincore(
                ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(mmap.PAGESIZE), ctypes.byref(found)
            )
        finally:
            del first
    return bool(found.value & 1)


def test_threads_write_whole_lines_into_their_days(kept, tmp_path):
    def write(first):
        for n in range(first, first + 2000):
            kept.write("app", DAY if n % 2 else NEXT, line(n))

    threads = [threading.Thread(target=write, args=(2000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(tmp_path) == list(range(8000))
    assert all(n % 2 for n in numbers_of(tmp_path / f"app-{DAY}.log"))


def numbers_of(path):
    return [json.loads(one)["n"] for one in files.lines(path)]


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(kept, tmp_path, monkeypatch):
    real = os.write

    def cut(file, content):
        if real(file, content[:4]) == 4:
            monkeypatch.setattr(os, "write", full)
            return 4
        return 0

    def full(file, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", cut)
    assert not kept.write("app", DAY, line(1))
    monkeypatch.setattr(os, "write", real)
    assert kept.write("app", DAY, line(2))
    assert (tmp_path / f"app-{DAY}.log").read_bytes() == b'{"n"\n{"n":2}\n'


def test_what_is_slow_is_kept_at_every_level(kept, tmp_path, monkeypatch):
    for module in ("files", "logs", "access"):
        monkeypatch.setattr(f"tfmshop.platform.observe.{module}.FILES", kept)
    logs.configure("error", "json")
    logs.slow("query", name="orders.find", seconds=2.0)
    structlog.reset_defaults()
    (event,) = told.events(tmp_path, ["performance"], clock.now() - timedelta(minutes=1))
    assert event["name"] == "orders.find"


def test_what_comes_after_is_followed(kept, tmp_path):
    kept.write("app", clock.now().date(), b'{"@timestamp":"2026-01-01T00:00:00Z","n":1}\n')
    follower = iter(told.Follower(tmp_path, ["app"]))
    kept.write("app", clock.now().date(), b'{"@timestamp":"2026-01-01T00:00:00Z","n":2}\n')
    assert next(follower)["n"] == 2
    path = tmp_path / f"app-{clock.now().date()}.log"
    path.rename(tmp_path / "put-away")  # compressed meanwhile, and a line comes late
    path.write_bytes(b'{"@timestamp":"2026-01-01T00:00:00Z","n":3}\n')
    late = threading.Timer(10, lambda: path.write_bytes(b'{"@timestamp":"2026-01-01T00:00:00Z","n":"never"}\n' * 9))
    late.start()
    assert next(follower)["n"] == 3
    late.cancel()
