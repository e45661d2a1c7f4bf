"""Meaning: products that are about what was asked for, though they have none of the words."""

from __future__ import annotations

import asyncio
import contextvars

import asyncpg
import pytest

from tests.making import new_product, some_products
from tfmshop.commerce import catalog, search
from tfmshop.commerce.search.errors import NoVectors
from tfmshop.platform import cursors
from tfmshop.platform.db import Query
from tfmshop.platform.jobs import HANDLERS, Waiting
from tfmshop.platform.jobs.worker import Worker
from tfmshop.platform.meaning.local import LocalModel

KNOWN = Query("test.known_meaning", "SELECT count(*) FROM search.meaning AS m JOIN search.entry USING (product_id)")
STORED = Query("test.stored_meaning", "SELECT count(*) FROM search.meaning")
MODEL = Query("test.model", "SELECT model FROM search.state")
JOBS = Query("test.meaning_jobs", "SELECT payload FROM jobs.pgqueuer WHERE entrypoint = 'search.meaning' ORDER BY id")
EMPTY_QUEUE = Query("test.empty_queue", "DELETE FROM jobs.pgqueuer")
GOODS = {
    "sofa": ("Corduroy sofa with three seats", "Furniture", 89900),
    "chair": ("Armchair with a footrest", "Furniture", 39900),
    "shoes": ("Trail running shoes", "Sports", 12900),
    "tent": ("Tent for two people", "Camping", 19900),
    "fridge": ("Refrigerator with a freezer", "Kitchen", 59900),
    "kettle": ("Kettle of steel", "Kitchen", 3900),
}


class Other:
    """A model with other numbers."""

    name, dimensions = "other", 3

    def of(self, texts):
        return [[1.0, 0.0, 0.0] for _ in texts]


def quiet(*_):
    return None


@pytest.fixture(scope="module")
def model():
    return LocalModel()


@pytest.fixture
async def goods(wide_db, model, monkeypatch):
    """A few things, and what they mean."""
    for name in list(HANDLERS):
        if name == "search.meaning":
            monkeypatch.delitem(HANDLERS, name)
    async with wide_db.tx() as tx:
        ids = await some_products(tx, *[
            new_product(title=title, category=(category,), brand=None, price=price, tags=[], specifications={},
                        sku=name.upper())
            for name, (title, category, price) in GOODS.items()])  # fmt: skip
    await search.learn(wide_db, always=True)
    assert await search.meaning.understand(wide_db, model, quiet) == len(GOODS)
    yield dict(zip(GOODS, ids, strict=True))
    monkeypatch.delitem(HANDLERS, "search.meaning", raising=False)


async def found(db, model, q: str, **more) -> search.Listing:
    async with db.read() as tx:
        return await search.find(tx, search.Wanted(q=q, **more), model)


async def run_jobs(db) -> int:
    """Hand every waiting job to its handler, as the runner does."""
    async with db.read() as tx:
        payloads = [row["payload"] for row in await tx.rows(JOBS)]
    for payload in payloads:
        await HANDLERS["search.meaning"](db, payload)
    async with db.tx() as tx:
        await tx.execute(EMPTY_QUEUE)
    return len(payloads)


@pytest.mark.parametrize(
    ("typed", "first"),
    [("couch", "sofa"), ("jogging footwear", "shoes"), ("outdoor sleeping shelter", "tent"), ("icebox", "fridge")],
)
async def test_words_that_nothing_has_find_what_means_the_same(wide_db, goods, model, typed, first):
    without = await found(wide_db, None, typed)
    assert without.by_meaning is search.model.UNSET
    listing = await found(wide_db, model, typed, highlight=True)
    assert listing.by_meaning is True
    assert listing.items[0].title == GOODS[first][0] == listing.items[0].highlight
    assert listing.total == len(listing.items) < len(GOODS)


async def test_words_that_something_has_and_typing_errors_come_first(wide_db, goods, model, queries):
    assert (await found(wide_db, model, "kettle")).by_meaning is search.model.UNSET
    assert len([name for name in queries.names if name.startswith("search.list")]) == 1
    mended = await found(wide_db, model, "ketttle")
    assert (mended.corrected, mended.by_meaning) == ("kettle", search.model.UNSET)
    by_price = await found(wide_db, model, "couch", sort="price")
    assert not by_price.items
    assert by_price.by_meaning is search.model.UNSET


async def test_filters_and_pages_hold_for_meaning(wide_db, goods, model):
    whole = await found(wide_db, model, "furniture to sit upon")
    assert {item.title for item in whole.items[:2]} == {GOODS["sofa"][0], GOODS["chair"][0]}
    cheap = await found(wide_db, model, "furniture to sit upon", max_price=40_000)
    assert cheap.items[0].title == GOODS["chair"][0]
    page = await found(wide_db, model, "furniture to sit upon", limit=1)
    titles = [page.items[0].title]
    while page.next_cursor:
        page = await found(wide_db, model, "furniture to sit upon", limit=1, cursor=page.next_cursor)
        assert page.by_meaning is True
        titles.append(page.items[0].title)
    assert titles == [item.title for item in whole.items]
    first = await found(wide_db, model, "furniture to sit upon", limit=1)
    second = await found(wide_db, model, "furniture to sit upon", limit=1, page=2)
    assert [one.items[0].title for one in (first, second)] == titles[:2]
    for other_model, words in ((None, "furniture to sit upon"), (model, "couch")):
        with pytest.raises(cursors.BadCursor):
            await found(wide_db, other_model, words, limit=1, cursor=first.next_cursor)


async def test_pages_of_what_is_near_are_stale_once_something_nearer_is_known(wide_db, fresh_url, goods, model):
    search.meaning.keep(model)
    heard: list[str] = []
    connection = await asyncpg.connect(fresh_url)
    async with wide_db.tx() as tx:
        await some_products(tx, new_product(title="Settee of leather"))
    await connection.add_listener("stale", lambda *message: heard.append(message[3]))
    await run_jobs(wide_db)
    await connection.execute("SELECT 1")
    await connection.close()
    assert any("search" in message.split(",") for message in heard), heard


async def test_a_job_follows_every_change(wide_db, goods, model):
    search.meaning.keep(model)
    async with wide_db.tx() as tx:
        await catalog.edit.change(tx, goods["kettle"], catalog.edit.Changes(title="Grand piano"))
        await catalog.edit.change(tx, goods["sofa"], catalog.edit.Changes(status="archived"))
        await some_products(tx, new_product(title="Violin for beginners", category=("Music",)))
        now = await search.status(tx)
        assert (now.meanings.jobs, now.categories.jobs, now.model) == (3, 0, model.name)
    assert await run_jobs(wide_db) == 3
    assert (await found(wide_db, model, "keyboard instrument")).items[0].title == "Grand piano"
    async with wide_db.tx() as tx:
        assert await tx.value(KNOWN) == await tx.value(STORED) == len(GOODS)
        assert (await search.status(tx)).meanings == Waiting(0, 0.0)
        await catalog.edit.change(tx, goods["sofa"], catalog.edit.Changes(status="active"))
        await catalog.variants.change(tx, "TENT", catalog.variants.VariantChanges(price=1))
    assert await run_jobs(wide_db) == 1, "a price means nothing"
    assert (await found(wide_db, model, "couch")).items[0].title == GOODS["sofa"][0]


async def test_the_job_runner_keeps_meaning_within_seconds(wide_db, fresh_url, goods, model):
    async def is_found() -> bool:
        items = (await found(wide_db, model, "keyboard instrument")).items
        return bool(items) and items[0].title == "Grand piano"

    search.meaning.keep(model)
    worker = Worker(fresh_url, wide_db)
    running = asyncio.create_task(worker.run())
    try:
        async with wide_db.tx() as tx:
            await catalog.edit.change(tx, goods["kettle"], catalog.edit.Changes(title="Grand piano"))
        for _ in range(150):
            if await is_found():
                break
            await asyncio.sleep(0.1)
        assert await is_found()
    finally:
        worker.stop()
        await running


async def test_learning_goes_on_where_it_was_cut_off(wide_db, goods, model):
    def cut_off(*_):
        raise KeyboardInterrupt

    async with wide_db.tx() as tx:
        await tx.execute(Query("test.forget_some", "DELETE FROM search.meaning"))
        await tx.execute(Query("test.spoil_index", "DROP INDEX search.meaning_near"))
        await some_products(tx, *[new_product(title=f"Thing {n}") for n in range(600)])
    with pytest.raises(KeyboardInterrupt):
        await search.meaning.understand(wide_db, model, cut_off)
    assert not (await found(wide_db, model, "couch")).items, "nothing by meaning before its index is there"
    async with wide_db.tx() as tx:
        assert await tx.value(STORED) == 500
    assert await search.meaning.understand(wide_db, model, quiet) == 600 + len(GOODS) - 500
    assert (await found(wide_db, model, "couch")).items[0].title == GOODS["sofa"][0]


async def test_another_model_begins_anew_and_none_forgets(wide_db, goods, model):
    async with wide_db.tx() as tx:
        await tx.execute(EMPTY_QUEUE)
    search.meaning.keep(model)
    await search.meaning.understand(wide_db, Other(), quiet)
    assert not (await found(wide_db, model, "couch")).items, "numbers of another model are not compared"
    async with wide_db.tx() as tx:
        await catalog.edit.change(tx, goods["tent"], catalog.edit.Changes(title="Igloo"))
    assert await run_jobs(wide_db) == 1
    async with wide_db.tx() as tx:
        assert (await tx.value(MODEL), await tx.value(STORED)) == ("other", len(GOODS))
    del HANDLERS["search.meaning"]
    search.meaning.keep(None)
    async with wide_db.tx() as tx:
        await catalog.edit.change(tx, goods["tent"], catalog.edit.Changes(title="Yurt"))
    assert await run_jobs(wide_db) == 1
    async with wide_db.tx() as tx:
        assert await tx.value(STORED) == len(GOODS) - 1, "to be learnt later"
    await search.meaning.forget(wide_db)
    async with wide_db.tx() as tx:
        assert await tx.value(MODEL) is None
        await catalog.edit.change(tx, goods["tent"], catalog.edit.Changes(title="Hut"))
    assert await run_jobs(wide_db) == 0


async def test_changes_beside_learning_are_not_overwritten(wide_db, goods, model):
    """A change commits while its product's old text is being turned into numbers."""
    search.meaning.keep(model)
    async with wide_db.tx() as tx:
        await tx.execute(Query("test.forget_all", "DELETE FROM search.meaning"))
    changed: list[asyncio.Task[None]] = []

    class Slow:
        name, dimensions = model.name, model.dimensions

        def of(self, texts):
            asyncio.run_coroutine_threadsafe(change(), loop).result()
            return model.of(texts)

    async def change() -> None:
        await asyncio.create_task(really_change(), context=contextvars.Context())

    async def really_change() -> None:
        async with wide_db.tx() as tx:
            await catalog.edit.change(tx, goods["kettle"], catalog.edit.Changes(title="Grand piano"))
        changed.append(asyncio.create_task(run_later()))
        await asyncio.sleep(0.05)

    async def run_later() -> None:
        assert await run_jobs(wide_db) == 1

    loop = asyncio.get_running_loop()
    await search.meaning.understand(wide_db, Slow(), quiet)
    await asyncio.gather(*changed)
    assert len(changed) == 1
    assert (await found(wide_db, model, "keyboard instrument")).items[0].title == "Grand piano"


async def test_a_server_without_pgvector_is_told_so(wide_db, model, monkeypatch):
    module = __import__("tfmshop.commerce.search.meaning", fromlist=["HAS_VECTORS"])
    monkeypatch.setattr(module, "HAS_VECTORS", Query("test.no_vectors", "SELECT false"))
    with pytest.raises(NoVectors):
        await search.meaning.understand(wide_db, model, quiet)
    async with wide_db.tx() as tx:
        assert await tx.value(MODEL) is None


def test_texts_become_vectors_of_length_one(model):
    one, other, none = model.of(["couch", "sofa", ""])
    assert len(one) == model.dimensions
    assert sum(x * x for x in one) == pytest.approx(1, abs=1e-3)
    assert sum(a * b for a, b in zip(one, other, strict=True)) > 0.5
    assert all(x == 0 for x in none)
