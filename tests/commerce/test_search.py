"""Search: ranking, phrases, typing errors, synonyms, units, facets, tiers, and making the projection anew."""

from __future__ import annotations

import asyncio
import random
from importlib import import_module

import pytest

from tests.making import a_product, new_product, some_products
from tfmshop.commerce import catalog, search
from tfmshop.commerce.search.errors import NoSuchLanguage, NoWords
from tfmshop.commerce.search.jobs import category_changed
from tfmshop.platform import codec
from tfmshop.platform.db import Query, broken, database

ENTRIES = Query("test.entries", "SELECT md5(string_agg((to_jsonb(e) - 'first_tier')::text, '|' ORDER BY product_id)) "
                "FROM search.entry AS e")  # fmt: skip
INDEXES = Query("test.entry_indexes", "SELECT array_agg(indexname::text ORDER BY indexname) FROM pg_indexes "
                "WHERE schemaname = 'search' AND tablename = 'entry'")  # fmt: skip
INDEX_DEFINITIONS = Query("test.index_definitions", "SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes "
                          "WHERE schemaname = 'search' AND tablename = 'entry'")  # fmt: skip
FIRST_TIER = Query("test.first_tier", "SELECT array_agg(product_id ORDER BY product_id) FROM search.entry "
                   "WHERE first_tier")  # fmt: skip
TIERS = Query("test.tiers", "SELECT count(*) FILTER (WHERE first_tier), count(*) FROM search.entry")
ANALYZE = Query("test.analyze_entries", "ANALYZE search.entry")
CLOSE_TIER = Query("test.close_tier", "UPDATE search.state SET tier_open = false")


async def titles(tx, q: str, **more) -> list[str]:
    return [item.title for item in (await search.find(tx, search.Wanted(q=q, **more))).items]


@pytest.fixture
async def goods(db):
    """A few things that are easily mixed up."""
    async with db.tx() as tx:
        await some_products(
            tx,
            new_product(title="Wireless mouse, black", category=("Computers", "Mice"), model="M-100 Pro", sku="MO-100"),
            new_product(title="Mouse pad for gaming", category=("Computers", "Pads")),
            new_product(title="Seagate disk 1 TB", category=("Computers", "Disks"), model="ST1000DM010", sku="ST-1"),
            new_product(title="Seagate disk 2TB", category=("Computers", "Disks"), model="ST2000DM008", sku="ST-2"),
            new_product(title='Laptop 15.6" Full HD', category=("Computers", "Laptops"), brand="Fennec", sku="LA-1"),
            new_product(title="Laptop stand", category=("Computers", "Stands"), brand="Fennec", sku="LA-2", stock=0),
            new_product(title="Television, 4K", category=("TV", "Screens"), description="Goes with a gaming mouse."),
            new_product(title="Cotton shirt", category=("Clothes",), sku="TSHIRT-RED-XL"),
        )  # fmt: skip
    await search.learn(db, always=True)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("mice", "Wireless mouse, black"),
        ("wireless mice", "Wireless mouse, black"),
        ("1tb", "Seagate disk 1 TB"),
        ("1 TB disk", "Seagate disk 1 TB"),
        ("2 tb", "Seagate disk 2TB"),
        ("15.6 inch", 'Laptop 15.6" Full HD'),
        ("15,6-inch laptops", 'Laptop 15.6" Full HD'),
        ("ST1000DM010", "Seagate disk 1 TB"),
        ("st-1000 dm 010", "Seagate disk 1 TB"),
        ("m100pro", "Wireless mouse, black"),
        ("LA-2", "Laptop stand"),
        ("TSHIRT-RED-XL", "Cotton shirt"),
        ("tshirt_red_xl", "Cotton shirt"),
        ("seagate-disk", "Seagate disk 2TB"),
        ("mouse/pad", "Mouse pad for gaming"),
        ("“mouse pad”", "Mouse pad for gaming"),
        ("fennec laptop", 'Laptop 15.6" Full HD'),
        ('"mouse pad"', "Mouse pad for gaming"),
        ("telev*", "Television, 4K"),
        ("mouse -pad -television", "Wireless mouse, black"),
    ],
)
async def test_the_best_answer_comes_first(goods, tx, typed, first):
    assert (await titles(tx, typed))[0] == first


async def test_phrases_and_exclusions_hold_for_every_hit(goods, tx):
    assert await titles(tx, '"mouse pad"') == ["Mouse pad for gaming"]
    assert "Mouse pad for gaming" not in await titles(tx, "mouse -pad")
    assert await titles(tx, '"pad mouse"') == []
    assert set(await titles(tx, "laptop", in_stock=True)) == {'Laptop 15.6" Full HD'}


async def test_products_with_some_of_the_words_come_after_those_with_all(goods, tx):
    found = await search.find(tx, search.Wanted(q="laptop stand"))
    assert [item.title for item in found.items] == ["Laptop stand", 'Laptop 15.6" Full HD']


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [("labtop", "laptop"), ("televsion", "television"), ("wireles mouse", "wireless mouse"),
     ("mousepad", "mouse pad"), ("lap top", "laptop"), ("seagtae", "seagate"), ('fenec "stand"', 'fennec "stand"')],
)  # fmt: skip
async def test_typing_errors_are_corrected_and_said(goods, tx, typed, corrected):
    found = await search.find(tx, search.Wanted(q=typed))
    assert found.corrected == corrected
    assert found.items


async def test_a_corrected_list_goes_on_with_its_cursor(tx):
    await some_products(tx, *[new_product(title=f"Laptop {n}") for n in range(5)])
    await tx.execute(Query("test.learn_laptop", "INSERT INTO search.word VALUES ('laptop', 5)"))
    seen, cursor = [], None
    while True:
        page = await search.find(tx, search.Wanted(q="labtop", limit=2, cursor=cursor, facets=["price"]))
        assert (page.corrected, bool(page.facets and page.facets.price)) == ("laptop", True)
        seen += [item.title for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"Laptop {n}" for n in range(5)]


SORTS = ["newest", "price", "-price", "rating", "title", "popular", "relevance"]
FILTERS = [{}, {"category": "lighting"}, {"brand": "halden"}, {"tags": ["lamp"]}, {"q": "lamp", "max_price": 2500},
           {"category": "lamps", "in_stock": True}]  # fmt: skip
LIMITS = {
    "few": {},
    "walked": {"GATHERED": 2, "GATHERED_BY_TITLE": 2, "TRIED": 1, "COUNTED": 2},
    "tried": {"GATHERED": 1, "GATHERED_BY_TITLE": 1, "TRIED": 30},
}
"""Bounds that send a list of 37 products through each way of finding a page."""


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_cursors_and_pages_visit_everything_once_in_one_order(wide_db, monkeypatch, limits, filters):
    """Ties everywhere, and every way in which a list is found."""
    async with wide_db.tx() as tx:
        await some_products(
            tx,
            *[new_product(title=f"Lamp {n % 3}", price=1000 + 500 * (n % 4), stock=n % 5, rating=n % 2 + 3.0,
                          popularity=n % 3) for n in range(37)],
        )  # fmt: skip
        await tx.execute(ANALYZE)
    listing = import_module("tfmshop.commerce.search.listing")
    monkeypatch.setattr(listing.LIST_PRODUCTS, "_known", {})
    whole = {}
    async with wide_db.read() as tx:
        for sort in SORTS:
            every = await search.find(tx, search.Wanted(**filters, sort=sort, limit=100))
            whole[sort] = [item.id for item in every.items]
            assert every.total == len(set(whole[sort])) == len(whole[sort]) > 20
        for name, value in LIMITS[limits].items():
            monkeypatch.setattr(listing, name, value)
        monkeypatch.setattr(listing.LIST_PRODUCTS, "_known", {})
        for sort in SORTS:
            seen, cursor = [], None
            while True:
                page = await search.find(tx, search.Wanted(**filters, sort=sort, limit=5, cursor=cursor))
                seen += [item.id for item in page.items]
                assert not page.total_is_exact or page.total == len(whole[sort])
                if (cursor := page.next_cursor) is None:
                    break
            assert seen == whole[sort]
            pages = [await search.find(tx, search.Wanted(**filters, sort=sort, limit=5, page=n)) for n in range(1, 9)]
            assert [item.id for page in pages for item in page.items] == whole[sort]


async def test_what_is_typed_right_is_not_corrected_and_costs_one_statement(goods, tx, queries):
    queries.clear()
    found = await search.find(tx, search.Wanted(q="laptop"))
    assert found.corrected is search.Listing.__struct_defaults__[-1]
    assert queries.names == ["search.list_products"]


async def test_queries_that_find_nothing_are_noted(goods, tx):
    for typed in ("zzzzyx", "ZZZZYX ", "unobtainium"):
        assert await titles(tx, typed) == []
    assert [(one.words, one.times) for one in await search.missed(tx, 10)] == [("zzzzyx", 2), ("unobtainium", 1)]


async def test_synonyms_are_data(goods, tx):
    assert await titles(tx, "telly") == []
    await search.set_synonym(tx, "telly", ["television", "flat screen"])
    assert await titles(tx, "telly") == ["Television, 4K"]
    assert await titles(tx, "notebooks") == []
    await search.set_synonym(tx, "notebook", ["laptop"])
    assert (await titles(tx, "notebooks"))[0] == 'Laptop 15.6" Full HD'
    await search.set_synonym(tx, "lap top", ["television"])
    assert "Television, 4K" in await titles(tx, "lap top")
    assert "Television, 4K" not in await titles(tx, "flap tops")
    assert {"notebook", "telly", "mice"} < {one.term for one in await search.synonyms(tx)}
    assert await search.drop_synonym(tx, "telly")
    assert await titles(tx, "telly") == []
    with pytest.raises(NoWords):
        await search.set_synonym(tx, "the", ["of"])
    with pytest.raises(NoSuchLanguage):
        await search.set_synonym(tx, "a", ["b"], "klingon")


async def test_synonyms_of_each_other_do_not_grow_without_end(tx):
    words = [f"wa{letter}" for letter in "abcdefghijklmn"]
    for word in words:
        await search.set_synonym(tx, word, [other for other in words if other != word])
    await a_product(tx, title="Thing wac")
    assert await titles(tx, "waa wab") == ["Thing wac"]
    await search.set_synonym(tx, "sofa", ["couch"])
    await search.set_synonym(tx, "couch", ["settee"])
    await a_product(tx, title="Settee")
    assert await titles(tx, "sofa") == []


async def test_the_category_job_overwrites_nothing_newer(wide_db):
    async with wide_db.tx() as tx:
        ids = await some_products(tx, *[new_product(title=f"Lamp {n}", sku=f"L-{n}") for n in range(2)])
        category = (await catalog.show_category(tx, "lighting")).id
    async with wide_db.tx() as tx:
        await catalog.variants.change(tx, "L-0", catalog.variants.VariantChanges(price=777))
        await catalog.edit.change(tx, ids[1], catalog.edit.Changes(status="archived"))
        job = asyncio.create_task(_outside(category_changed(wide_db, codec.encode(category))))
        await asyncio.sleep(0.5)
    await job
    async with wide_db.tx() as tx:
        assert [item.price.amount for item in (await search.find(tx, search.Wanted())).items] == [777]
        assert await broken(tx) == {}


async def _outside(work) -> None:
    """A job is another task, and may hold a connection of its own."""
    database._holding.set(False)
    await work


async def test_only_the_last_reindex_goes_on_and_leaves_indexes_and_tiers_as_they_were(wide_db):
    async with wide_db.tx() as tx:
        await some_products(tx, *[new_product() for _ in range(200)])
        await tx.execute(CLOSE_TIER)
        await tx.execute(Query("test.second_tier", "UPDATE search.entry SET first_tier = dice % 2 = 0"))
        before = await tx.value(INDEX_DEFINITIONS), await tx.value(FIRST_TIER)

    def cut_off(_: str, done: int, __: int) -> None:
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await search.reindex(wide_db, "english", cut_off, rest=0)
    done = await search.reindex(wide_db, "german", lambda *_: None, rest=0)
    assert (done.products, done.resumed) == (200, False), "another language begins anew"
    async with wide_db.tx() as tx:
        assert (await tx.value(INDEX_DEFINITIONS), await tx.value(FIRST_TIER)) == before
        taken = Query("test.taken", "SELECT search.begin_shadow('english', gen_random_uuid())")
        await tx.value(taken)
        fill = Query("test.fill_other", "SELECT search.fill_shadow(gen_random_uuid(), 10)")
        assert await tx.value(fill) == -1
        swap = Query("test.swap_other", "SELECT search.swap_shadow(gen_random_uuid(), true)")
        assert await tx.value(swap) is False


async def test_suggestions_are_prefixes_of_categories_and_products(goods, tx):
    assert [(one.kind, one.title) for one in await search.suggest(tx, "lap")] == [
        ("category", "Laptops"), ("product", "Laptop stand"), ("product", 'Laptop 15.6" Full HD'),
    ]  # fmt: skip
    assert [one.title for one in await search.suggest(tx, "seagate di")] == ["Seagate disk 2TB", "Seagate disk 1 TB"]
    assert await search.suggest(tx, "   ") == []
    assert len(await search.suggest(tx, "m")) >= 2


async def test_what_sells_comes_first_among_equals(tx):
    first, second = await some_products(tx, new_product(title="Red kettle"), new_product(title="Red kettle"))
    for id in (first, second):
        await catalog.keep.add_popularity(tx, {(await catalog.show(tx, id)).id: 5000})
        assert str((await search.find(tx, search.Wanted(q="kettle"))).items[0].id) == id
        await catalog.keep.add_popularity(tx, {(await catalog.show(tx, id)).id: -5000})
    await catalog.edit.change(tx, second, catalog.edit.Changes(status="archived"))
    assert len(await titles(tx, "kettle")) == 1


async def test_facets_count_what_the_list_has(shop, goods, queries):
    queries.clear()
    answer = (await shop.get("products?category=computers&facets=brand,price,rating,spec[colour]&limit=1")).json()
    assert queries.names == ["search.list_products", "search.count_facets"]
    assert answer["facets"]["is_exact"]
    assert answer["facets"]["brand"] == [{"value": "Halden", "count": 4}, {"value": "Fennec", "count": 2}]
    assert answer["facets"]["price"] == [{"min_price": 1000, "max_price": 1999, "count": 6}]
    assert answer["facets"]["specifications"] == {"colour": [{"value": "black", "count": 6}]}
    assert answer["facets"]["rating"] == []
    inside = (await shop.get("products?category=computers&min_price=1000&max_price=1999")).json()
    assert inside["total"] == 6
    assert (await shop.get("products?facets=colour")).status_code == 422
    assert "facets" not in (await shop.get("products")).json()


async def test_search_takes_the_filters_of_lists_and_marks_words(shop, goods):
    answer = (await shop.get("search?q=laptops&brand=fennec&in_stock=true&sort=price&facets=brand")).json()
    assert [item["highlight"] for item in answer["items"]] == ['<em>Laptop</em> 15.6" Full HD']
    assert answer["facets"]["brand"] == [{"value": "Fennec", "count": 1}]
    assert (await shop.get("search?q=labtop")).json()["corrected"] == "laptop"


async def test_a_shop_beyond_the_first_tier_finds_all_the_same(wide_db, monkeypatch):
    monkeypatch.setattr(import_module("tfmshop.commerce.search.learn"), "FIRST_TIER", 30)
    async with wide_db.tx() as tx:
        await some_products(tx, *[new_product(title=f"Lamp of kind {n % 40}", popularity=n) for n in range(200)])
    await search.learn(wide_db, always=True)
    async with wide_db.tx() as tx:
        assert tuple(await tx.row(TIERS)) == (30, 200)
        assert (await search.find(tx, search.Wanted(q='"kind 7"'))).total == 5
        await tx.execute(CLOSE_TIER)
        new = await a_product(tx, title="Unique gizmo")
        assert [str(item.id) for item in (await search.find(tx, search.Wanted(q="gizmo"))).items] == [new]


async def test_terms_of_one_stem_each_count(db):
    async with db.tx() as tx:
        await some_products(tx, new_product(title="Flat screen"), new_product(title="Wide monitor"))
        await search.set_synonym(tx, "telly", ["screen"])
        await search.set_synonym(tx, "tellies", ["monitor"])
        for q in ("telly", "tellies"):
            assert sorted(await titles(tx, q)) == ["Flat screen", "Wide monitor"]


async def test_all_matches_of_words_are_counted_where_that_is_asked_for(wide_db, monkeypatch):
    monkeypatch.setattr(import_module("tfmshop.commerce.search.learn"), "FIRST_TIER", 310)
    async with wide_db.tx() as tx:
        await some_products(tx, *[new_product(title=f"Lamp {n}", popularity=n) for n in range(1010)])
    await search.learn(wide_db, always=True)
    async with wide_db.tx() as tx:
        await tx.execute(CLOSE_TIER)
        assert not (await search.find(tx, search.Wanted(q="lamp"))).total_is_exact
        counted = await search.find(tx, search.Wanted(q="lamp", exact_count=True, facets=["spec[nothing]"]))
        assert (counted.total, counted.total_is_exact) == (1010, True)
        assert not counted.facets.is_exact
        assert counted.facets.specifications == {"nothing": []}


async def test_a_facet_may_have_the_sign_that_parts_names_from_values(shop, db):
    async with db.tx() as tx:
        await some_products(tx, new_product(specifications={"a=b": "c"}))
    counted = (await shop.get("products", params={"facets": "spec[a=b]"})).json()["facets"]
    assert counted["specifications"] == {"a=b": [{"value": "c", "count": 1}]}
    assert (await shop.get("products", params={"spec[a=b]": "c"})).json()["total"] == 1


async def test_a_long_title_is_a_cursor_that_is_taken_back(shop, db):
    async with db.tx() as tx:
        await some_products(tx, *[new_product(title="\U0001f4a1" * 495 + f" {n}") for n in range(3)])
    first = (await shop.get("products?sort=title&limit=2")).json()
    second = await shop.get("products", params={"sort": "title", "limit": 2, "cursor": first["next_cursor"]})
    assert len(second.json()["items"]) == 1


async def test_the_language_is_the_shops(wide_db):
    async with wide_db.tx() as tx:
        await some_products(tx, new_product(title="Häuser aus Holz", category=("Spielzeug", "Bauen")))
        assert await titles(tx, "haus") == []
    done = await search.reindex(wide_db, "german", lambda *_: None, rest=0)
    assert done.products == 1
    async with wide_db.tx() as tx:
        assert await titles(tx, "haus") == ["Häuser aus Holz"]
        await a_product(tx, title="Alte Bäume")
        assert await titles(tx, "baum") == ["Alte Bäume"]
    with pytest.raises(NoSuchLanguage):
        await search.reindex(wide_db, "klingon", lambda *_: None, rest=0)


async def test_a_reindex_beside_writers_loses_nothing(wide_db):
    """Products change, come and go while the projection is made anew, is cut off, and goes on."""
    async with wide_db.tx() as tx:
        ids = await some_products(tx, *[new_product(title=f"Lamp {n}") for n in range(1500)])
        before = await tx.value(INDEXES)
    going = True
    source = random.Random(7)

    async def write(number: int) -> int:
        changed = 0
        while going:
            id = source.choice(ids[number::8])
            changes = source.choice([
                catalog.edit.Changes(title=f"Changed {number} {changed}"), catalog.edit.Changes(status="archived"),
                catalog.edit.Changes(status="active"), catalog.edit.Changes(tags=[f"t{changed}"]),
            ])  # fmt: skip
            async with wide_db.tx() as tx:
                await catalog.edit.change(tx, id, changes)
                if changed % 10 == 0:
                    await a_product(tx, title=f"New {number} {changed}")
            changed += 1
        return changed

    def cut_off(step: str, done: int, _: int) -> None:
        if done >= 700:
            raise KeyboardInterrupt

    writers = [asyncio.create_task(write(number)) for number in range(8)]
    try:
        with pytest.raises(KeyboardInterrupt):
            await search.reindex(wide_db, "english", cut_off, rest=0)
        done = await search.reindex(wide_db, "english", lambda *_: None, rest=0)
    finally:
        going = False
    assert done.resumed
    assert sum(await asyncio.gather(*writers)) > 50
    async with wide_db.tx() as tx:
        kept = await tx.value(ENTRIES)
        assert await tx.value(INDEXES) == before
        assert await broken(tx) == {}
    await search.reindex(wide_db, "english", lambda *_: None, rest=0)
    async with wide_db.tx() as tx:
        assert await tx.value(ENTRIES) == kept
