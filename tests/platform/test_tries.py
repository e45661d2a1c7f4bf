"""A job that fails is tried again for days, however often it failed before, and is held after that."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta

import pytest

from tests.processes import tfmshop
from tests.servers import REDIS
from tfmshop.platform.db import Query
from tfmshop.platform.jobs import HANDLERS, enqueue, job
from tfmshop.platform.jobs.worker import MOST_TRIES, Worker, pause_after

FAILED_BEFORE = Query("test.failed_before", "UPDATE jobs.pgqueuer SET attempts = $1")
STANDS = Query("test.stands", "SELECT status::text, attempts, extract(epoch FROM execute_after - now())::float8 AS due"
               " FROM jobs.pgqueuer")  # fmt: skip


def test_pauses_grow_to_five_minutes_and_fill_days():
    pauses = [pause_after(tries) for tries in range(MOST_TRIES)]
    assert pauses[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert set(pauses[9:]) == {timedelta(minutes=5)}
    assert timedelta(days=3) < sum(pauses, timedelta()) < timedelta(days=4)


@pytest.mark.parametrize("before", [0, 60, 900, MOST_TRIES])
async def test_a_job_that_fails_again_comes_again_or_is_held(wide_db, fresh_url, tmp_path, before):
    ran = asyncio.Event()

    @job("test.fails")
    async def fails(*_) -> None:
        ran.set()
        raise ConnectionError("nobody is there")

    try:
        async with wide_db.tx() as tx:
            await enqueue(tx, "test.fails", None)
            await tx.execute(FAILED_BEFORE, before)
        worker = Worker(fresh_url, wide_db, {"test.fails"}, by_the_clock=False)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(30):
            await ran.wait()
            while (stands := await _stands(wide_db))[0] == "picked":  # noqa: ASYNC110 - the queue tells nobody
                await asyncio.sleep(0.02)
        worker.stop()
        await running
    finally:
        del HANDLERS["test.fails"]
    status, tries, due = stands
    if before == MOST_TRIES:
        assert status == "failed"
        await _let_run_again(wide_db, fresh_url, tmp_path)
    else:
        wanted = pause_after(before).total_seconds()
        assert (status, tries) == ("queued", before + 1)
        assert wanted - 2 < due < wanted + 1


async def _stands(db) -> tuple[str, int, float]:
    async with db.read() as tx:
        return tuple(await tx.row(STANDS))


async def _let_run_again(db, url: str, folder) -> None:
    settings = {"DATABASE_URL": url, "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(folder)}
    (held,) = json.loads(tfmshop("jobs", "held", "--json", cwd=folder, **settings).stdout)
    assert (held["task"], held["jobs"]) == ("test.fails", 1)
    assert "test.fails" in tfmshop("jobs", "held", cwd=folder, **settings).stdout
    other = tfmshop("jobs", "again", "others", cwd=folder, **settings)
    assert (other.returncode, other.stderr) == (1, "No job named others is held.\n")
    assert tfmshop("jobs", "again", cwd=folder, **settings).stdout == "1 jobs run again.\n"
    assert tfmshop("jobs", "held", cwd=folder, **settings).stdout == "No job is held.\n"
    assert (await _stands(db))[:2] == ("queued", 0)
