"""What is measured is exact, over processes that live and that were killed."""

import multiprocessing
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from tfmshop.platform.observe import blocks, cells, exposition, readings
from tfmshop.platform.observe.blocks import COUNTS
from tfmshop.platform.observe.cells import Cells
from tfmshop.platform.observe.metrics import BOUNDS, CELLS, METRICS, Counter, Gauge, Histogram, Over, SpentTime

HITS = Counter("test_hits_total", "Hits.", "path")
TOOK = Histogram("test_took_seconds", "Time.", "path")
DEEP = Gauge("test_deep", "Depth.", over=Over.MOST)
ALL = Gauge("test_all", "All.", over=Over.SUM)
EACH = Gauge("test_each", "Each.", over=Over.EACH)
SPENT = SpentTime("test_spent_seconds_total", "Spent.")


def _count(folder, times, depth, ready, forever):
    own = Cells()
    own.keep_in(folder, "web")
    at = own.take(COUNTS, HITS.name, ("/a",), 1)
    level = own.take(Over.MOST.value, DEEP.name, (), 1)
    every = own.take(Over.SUM.value, ALL.name, (), 1)
    own.real[level], own.real[every] = depth, depth
    for _ in range(times):
        own.whole[at] += 1
    ready.release()
    if forever:
        time.sleep(60)


@pytest.fixture
def start(tmp_path):
    context = multiprocessing.get_context("spawn")
    begun = []

    def start(times, depth=1.0, *, forever=True):
        ready = context.Semaphore(0)
        process = context.Process(target=_count, args=(tmp_path, times, depth, ready, forever))
        process.start()
        assert ready.acquire(timeout=20)
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.join()


def seen(folder):
    return readings.summed(blocks.read(folder))


def test_processes_are_added_up_and_nothing_is_lost_with_one_that_is_killed(tmp_path, start):
    first, second = start(1000, 2.0), start(234, 5.0)
    reading = seen(tmp_path)
    assert reading.sum(HITS.name, path="/a") == 1234
    assert (reading.sum(DEEP.name), reading.sum(ALL.name)) == (5.0, 7.0)
    os.kill(second.pid, signal.SIGKILL)
    second.join()
    for _ in range(3):
        reading = seen(tmp_path)
        assert reading.sum(HITS.name, path="/a") == 1234
        assert (reading.sum(DEEP.name), reading.sum(ALL.name)) == (2.0, 2.0)
    start(6)
    assert seen(tmp_path).sum(HITS.name, path="/a") == 1240
    assert first.is_alive()


def test_who_dies_while_the_dead_are_added_up_counts_once(tmp_path, start):
    start(10, forever=False).join()
    (file,) = tmp_path.glob("*.cells")
    kept = file.read_bytes()
    assert seen(tmp_path).sum(HITS.name) == 10
    file.write_bytes(kept)  # as when the one who read was killed before it removed the file
    assert seen(tmp_path).sum(HITS.name) == 10
    assert not list(tmp_path.glob("*.cells"))


def test_an_installation_that_starts_again_counts_from_nothing(tmp_path, start):
    start(10, forever=False).join()
    assert seen(tmp_path).sum(HITS.name) == 10
    start(5)
    assert seen(tmp_path).sum(HITS.name) == 5


def test_a_line_of_the_index_that_was_cut_off_is_passed_over(tmp_path, start):
    start(10)
    (file,) = tmp_path.glob("*.cells")
    held = bytearray(file.read_bytes())
    (length,) = struct.unpack_from("q", held, 8 * blocks.LENGTH)
    for line in (b'["c","test_hi', b"[1, 2]\n", b'["c","test_hits_total",["/a"],999999999,1]\n'):
        spoiled = held.copy()
        spoiled[8 * blocks.CELLS + length : 8 * blocks.CELLS + length + len(line)] = line
        struct.pack_into("q", spoiled, 8 * blocks.LENGTH, length + len(line))
        assert readings.summed([blocks.of("web-1", bytes(spoiled))]).sum(HITS.name) == 10


def test_a_full_disk_takes_no_numbers_away(tmp_path, start, monkeypatch):
    start(5)
    start(10, forever=False).join()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for _ in range(2):
            assert seen(tmp_path).sum(HITS.name) == 15
    for _ in range(2):
        assert seen(tmp_path).sum(HITS.name) == 15
    assert len(list(tmp_path.glob("*.cells"))) == 1


def test_more_series_than_there_is_room_for_spoil_no_others():
    own = Cells()
    own._next = cells.CELLS - 1
    assert own.take(COUNTS, "a", (), 1) == cells.CELLS - 1
    assert own.take(COUNTS, "b", (), 1) == 0


def test_quantiles_are_those_of_prometheus():
    buckets = [0] * (len(BOUNDS) + 1)
    assert readings.quantile(0.95, buckets) == 0
    buckets[BOUNDS.index(0.1)] = 90
    buckets[BOUNDS.index(0.5)] = 10
    assert readings.quantile(0.5, buckets) == pytest.approx(0.05 + 0.05 * 50 / 90)
    assert readings.quantile(0.95, buckets) == pytest.approx(0.25 + 0.25 * 5 / 10)
    buckets[-1] = 1000
    assert readings.quantile(0.95, buckets) == BOUNDS[-1]


def test_a_name_is_taken_once_and_labels_are_as_declared():
    with pytest.raises(TypeError, match="test_hits_total"):
        Counter("test_hits_total", "Again.")
    with pytest.raises(TypeError, match="labels"):
        HITS.of()


def test_both_formats_say_what_was_counted():
    before = HITS.of('a"b').value
    HITS.of('a"b').add(2)
    TOOK.of("/x").add(0.002)
    TOOK.of("/x").add(20.0)
    EACH.of().set(3)
    SPENT.of().set(1.5)
    reading = readings.summed(Cells.read(cells_here()))
    text = exposition.text(reading).decode()
    assert f'test_hits_total{{path="a\\"b"}} {before + 2:.1f}' in text
    assert 'test_took_seconds_bucket{le="0.0025",path="/x"} 1.0' in text
    assert 'test_took_seconds_bucket{le="+Inf",path="/x"} 2.0' in text
    assert 'test_took_seconds_sum{path="/x"} 20.002' in text
    assert "test_spent_seconds_total 1.5" in text
    assert 'test_each{process="process-' in text
    assert exposition.open_metrics(reading).decode().endswith("# EOF\n")


def cells_here():
    from tfmshop.platform.observe.metrics import CELLS

    return CELLS


def test_names_are_by_the_conventions():
    for metric in METRICS.values():
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.name.endswith("_seconds") or metric.kind != "histogram", metric.name
        assert metric.meaning.endswith("."), metric.name


@pytest.mark.parametrize("seconds", [
    [], [BOUNDS[0]], [0.0004, 0.0001, 0.0005], [0.0001, 0.0006], [3.0, 0.0001, 0.0005, 0.02, 0.001, 99.0, 0.02],
])  # fmt: skip
def test_many_together_are_counted_like_one_by_one(seconds):
    together, apart = (TOOK.of(f"{kind} {seconds}") for kind in ("together", "apart"))
    together.add_all(list(seconds))
    for one in seconds:
        apart.add(one)
    found = [CELLS.whole[one._at : one._at + len(BOUNDS) + 1] for one in (together, apart)]
    assert list(found[0]) == list(found[1])
    assert (together.count, together.seconds) == (len(seconds), pytest.approx(apart.seconds, abs=1e-8))
