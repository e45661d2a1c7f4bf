"""Keys: claimed once, refused at once while another request holds them."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import timedelta
from uuid import uuid4

import pytest

from tfmshop.platform import idempotency
from tfmshop.platform.db import Database, Options, connect
from tfmshop.platform.idempotency import Answer, Key, KeyReused, StillRunning, begin, remember

LEASE = timedelta(seconds=30)


@pytest.fixture
async def other(fresh_url) -> Database:
    """A second process's pool."""
    db = await connect(fresh_url, Options(minimum=1, maximum=1))
    yield db
    await db.close()


async def claim(tx, key: Key, subject=None):
    (found,) = await begin(tx, [(key, subject or uuid4())], LEASE)
    return found


async def test_a_key_in_an_open_transaction_is_refused_at_once(wide_db, other):
    key = Key("scope", "key", b"same")
    first = wide_db.tx()
    tx = await first.__aenter__()
    assert await claim(tx, key) is None

    errors = idempotency.BEGIN.statistics.errors

    async def second():
        async with other.tx() as tx:
            return await begin(tx, [(Key("scope", "free", b"same"), uuid4()), (key, uuid4())], LEASE)

    free, taken = await asyncio.create_task(second(), context=contextvars.Context())
    assert free is None
    assert isinstance(taken, StillRunning)
    assert idempotency.BEGIN.statistics.errors == errors
    await first.__aexit__(None, None, None)


async def test_the_life_of_a_key(db):
    key, order = Key("scope", "key", b"same"), uuid4()
    async with db.tx() as tx:
        assert await claim(tx, key, order) is None
        assert isinstance(await claim(tx, key), StillRunning)
        assert isinstance(await claim(tx, Key("scope", "key", b"other")), KeyReused)
        assert await claim(tx, Key("another scope", "key", b"other")) is None
        await idempotency.end_lease(tx, key)
        assert await claim(tx, key) == order
        await remember(tx, key, Answer(201, b"done"))
        assert await claim(tx, key) == Answer(201, b"done", replayed=True)
        assert await idempotency.forget_old(tx, timedelta(0)) == 0
