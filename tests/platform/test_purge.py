"""A CDN is told what is stale: everything after a start, then what changed, and again what it did not take."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.making import a_product
from tests.processes import tfmshop
from tests.receivers import listening
from tfmshop.commerce import catalog
from tfmshop.platform.cache import report
from tfmshop.surface import purge


@pytest.fixture
async def cdn():
    async with listening("/service/1/purge") as one:
        one.status = 200
        yield one


def told(cdn) -> list[list[str]]:
    for headers, body in cdn.heard:
        assert headers["surrogate-key"].split() == json.loads(body)["surrogate_keys"]
    return [json.loads(body)["surrogate_keys"] for _, body in cdn.heard]


async def until(true) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never was")


async def test_what_changes_is_purged_after_the_web_servers_know(settings, wide_db, fresh_url, cdn):
    async with wide_db.tx() as tx:
        lamp = str(await a_product(tx, sku="LAMP"))
    settings = settings.replace(
        DATABASE_URL=fresh_url, CDN_PURGE_URL=cdn.url, CDN_PURGE_HEADER="Fastly-Key: canary-of-the-cdn"
    )
    async with purge.purging(settings):
        await until(lambda: told(cdn) == [["shop"]])
        changed = asyncio.get_running_loop().time()
        async with wide_db.tx() as tx:
            await catalog.edit.change(tx, lamp, catalog.edit.Changes(title="Another"), None)
        await until(lambda: len(cdn.heard) == 2)
        assert asyncio.get_running_loop().time() - changed >= purge.SETTLE_SECONDS
        assert f"product:{lamp}" in told(cdn)[1]
        assert "shop" not in told(cdn)[1]
        assert not any(key.startswith(("#", "+", "*", "~")) for key in told(cdn)[1])
        assert {headers["fastly-key"] for headers, _ in cdn.heard} == {"canary-of-the-cdn"}
        async with wide_db.tx() as tx:
            await report.clear(tx, ["*"])
        await until(lambda: told(cdn)[2:] == [["shop"]])


async def test_what_the_cdn_does_not_take_is_told_again_with_what_came_meanwhile(cdn, monkeypatch):
    monkeypatch.setattr(purge, "FIRST_PAUSE", 0.05)
    purger = purge.Purger(cdn.url, "", settle_seconds=0.0)
    running = asyncio.create_task(purger.run())
    cdn.status = 503
    purger.hear(["a", "#news"])
    await until(lambda: len(cdn.heard) >= 2)
    purger.hear(["b"])
    cdn.status = 200
    await until(lambda: told(cdn)[-1] == ["a", "b"])
    taken = len(cdn.heard)
    purger.hear(["+"])
    await asyncio.sleep(0.2)
    assert len(cdn.heard) == taken
    running.cancel()


async def test_what_is_heard_late_settles_as_long(cdn):
    purger = purge.Purger(cdn.url, "", settle_seconds=0.4)
    running = asyncio.create_task(purger.run())
    purger.hear(["a"])
    await asyncio.sleep(0.3)
    purger.hear(["b"])
    await until(lambda: len(cdn.heard) == 1)
    assert told(cdn) == [["a"]]
    await until(lambda: len(cdn.heard) == 2)
    assert told(cdn)[1] == ["b"]
    running.cancel()


async def test_many_keys_are_told_in_parts_and_very_many_as_everything(cdn):
    purger = purge.Purger(cdn.url, "", settle_seconds=0.0)
    running = asyncio.create_task(purger.run())
    keys = [f"product:{n:04}" for n in range(purge.MOST_KEYS + 1)]
    purger.hear(keys)
    await until(lambda: len(cdn.heard) == 2)
    assert [key for part in told(cdn) for key in part] == keys
    purger.hear(f"product:{n}" for n in range(purge.MOST_WAITING + 1))
    await until(lambda: told(cdn)[2:] == [["shop"]])
    running.cancel()


@pytest.mark.parametrize("wrong", ["no colon", "Name:", "Na me: x", "Name: x\nOther: y"])
def test_a_header_that_is_none_is_refused(wrong, tmp_path):
    said = tfmshop("config", cwd=tmp_path, CDN_PURGE_HEADER=wrong, TFMSHOP_HOME=str(tmp_path))
    assert said.returncode != 0
    assert "CDN_PURGE_HEADER must be empty or a header" in said.stdout + said.stderr
