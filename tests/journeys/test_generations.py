"""Generations of workers: who replaces the dead answers at once, who is to follow takes nothing before it can work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from tests.processes import BIN, call, environment, free_port, kill_group, wait_for
from tests.servers import REDIS
from tfmshop.surface.http.edge.farewell import Farewell
from tfmshop.surface.serving import ready

OLDER = "UPDATE public.alembic_version SET version_num = '0001'"


async def test_who_follows_waits_until_it_can_work_and_who_is_alone_does_not():
    class Checks:
        fit = False

        async def can_work(self):
            return self.fit

    class Shop:
        checks = Checks()

    told, pipe = os.pipe()
    os.set_blocking(told, False)
    try:
        ready.tell_through(pipe, alone=False)
        waiting = asyncio.create_task(Farewell().wait(Shop()))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        Checks.fit = True
        await asyncio.wait_for(waiting, 5)
        assert os.read(told, 10) == b"+"

        Checks.fit = False
        ready.tell_through(pipe, alone=True)
        alone = Farewell()
        await asyncio.wait_for(alone.wait(Shop()), 5)
        alone.end()
    finally:
        ready._Told.pipe = None
        os.close(told)
        os.close(pipe)


def test_workers_that_died_with_their_parent_are_replaced_by_some_that_answer_at_once(fresh_url, tmp_path):
    settings = environment(DATABASE_URL=fresh_url, REDIS_URL=os.environ[REDIS], TFMSHOP_HOME=str(tmp_path),
                           PORT=str(free_port()), LOG_LEVEL="error")  # fmt: skip
    base = f"http://127.0.0.1:{settings['PORT']}"
    server = subprocess.Popen([str(BIN), "serve"], env=settings, start_new_session=True, cwd=tmp_path)
    try:
        wait_for(f"{base}/health/ready", server)
        asyncio.run(_make_old(fresh_url))  # so that no new worker will find that it can work
        (parent,) = _children(server.pid)
        workers = _children(parent)
        os.kill(parent, signal.SIGKILL)
        _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        _until(lambda: _lives(base))
        server.terminate()
        assert server.wait(60) == 0
    finally:
        kill_group(server)


async def _make_old(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(OLDER)
    await connection.close()


def _until(holds) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(base: str) -> bool:
    try:
        return call(f"{base}/health/live")[0] == 200
    except OSError:
        return False


PARENT = """
import os, sys, time
import structlog
from tfmshop.surface.serving import generation, workers
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
workers.SHORT_LIFE, life = 0.5, float(sys.argv[1])
def work(socket):
    os.write(1, b"began %d\\n" % os.getpid())
    time.sleep(life)
    return 3
parent = workers.Workers(lambda socket: generation.start(work, socket), [7, 8, 9])
worked = parent.keep()
parent.end()
print("kept" if worked else "gave up", flush=True)
"""


def _parent(life: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PARENT, life], stdout=subprocess.PIPE, text=True)


def test_who_dies_at_each_start_is_not_started_for_ever():
    told, _ = _parent("0.05").communicate(timeout=20)
    assert told.endswith("gave up\n")
    assert 3 <= told.count("began") <= 4


def test_workers_that_lived_are_replaced_however_many_die_together():
    parent = _parent("60")
    pids = [int(parent.stdout.readline().split()[1]) for _ in range(3)]
    time.sleep(1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    again = [int(parent.stdout.readline().split()[1]) for _ in range(3)]
    assert not set(again) & set(pids)
    parent.terminate()  # at the moment of their start
    assert parent.communicate(timeout=20)[0] == "kept\n"
    assert not [pid for pid in again if Path(f"/proc/{pid}").exists()]
