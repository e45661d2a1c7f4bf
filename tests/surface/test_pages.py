"""Public pages: handed out from memory, the same in every form, and never older than the last change."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import random
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import brotli
import httpx
import pytest
from PIL import Image

from tests.client import Client, client_of
from tests.conftest import SEALS
from tests.making import a_product, new_product, some_products
from tests.processes import UNLIMITED
from tests.servers import REDIS
from tests.surface.test_backoffice import staff
from tfmshop import config
from tfmshop.app import hearing
from tfmshop.commerce import catalog, inventory, reviews, search
from tfmshop.commerce.payments import FakeProvider, Providers
from tfmshop.commerce.search.store import REWRITE
from tfmshop.platform import Platform, clock
from tfmshop.platform.cache import Cache, Memory, Redis, Shared, asked, report
from tfmshop.platform.db import Database, Options, Query, connect, listening
from tfmshop.platform.errors import DatabaseUnavailable
from tfmshop.platform.files import images
from tfmshop.platform.files.local import LocalFiles
from tfmshop.platform.limits import Rates
from tfmshop.platform.security.access import AccessTokens
from tfmshop.platform.security.passwords import Passwords
from tfmshop.surface.http.app import build, public_routes, routes
from tfmshop.surface.http.context import Shop
from tfmshop.surface.http.edge.encodings import COMPRESS, chosen

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SOON = 0.1
"""Seconds after the commit within which every process has heard of it."""
TOUCH = Query("test.touch", "UPDATE catalog.product SET title = $2 WHERE id = $1")
CHAIRS = Query("test.chairs", "SELECT id FROM catalog.category WHERE slug = 'chairs'")
REVIEW = Query("test.review", "INSERT INTO reviews.review (id, product_id, customer_id, author, rating) "
               "VALUES ($1, $2, $1, 'A', 5)")  # fmt: skip
SWITCH = Query("test.switch", "UPDATE search.state SET language = language")
CUT = Query("test.cut", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'tfmshop listener' AND datname = current_database()")  # fmt: skip


@asynccontextmanager
async def serving(db: Database, url: str, home, release: str, **settings: str):
    """A web process with a cache, as `serve` opens it."""
    given = config.read({"APP_ENV": "test", "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": str(home),
                         "DATABASE_URL": url, **UNLIMITED, **settings}, None)  # fmt: skip
    redis, draw = Redis(given.text("REDIS_URL"), 1.0), random.Random()
    platform = Platform(
        config=given, db=db, redis=redis, files=LocalFiles(home / "media"), passwords=Passwords(), seals=SEALS,
        tokens=AccessTokens("a secret of the tests, long enough"),
        cache=Cache(Memory(8 << 20), Shared(redis, release) if release else None),
        rates=Rates(redis, 60 + draw.random()),
    )  # fmt: skip

    @asynccontextmanager
    async def open_shop():
        async with hearing(platform):
            yield shop

    shop = Shop(platform, Providers(fake=FakeProvider()), None, {})
    async with client_of(build(open_shop)) as client:
        client.cache, client.shop = platform.cache, shop
        yield client
    await platform.cache.close()
    await platform.rates.close()
    await redis.close()
    platform.passwords.close()


@pytest.fixture
async def processes(fresh_url, tmp_path):
    """A pool to write with, and web processes that read: two with a Redis, and one without."""
    release = uuid4().hex
    db = await connect(fresh_url, Options(minimum=1, maximum=8, acquire_seconds=10))
    async with AsyncExitStack() as stack:
        shops = [
            await stack.enter_async_context(serving(db, fresh_url, tmp_path, one)) for one in (release, release, "")
        ]
        yield db, shops
    await db.close()


async def every(shops: list[Client], path: str) -> list[httpx.Response]:
    return [await shop.get(path) for shop in shops]


async def heard() -> None:
    await asyncio.sleep(SOON)


# Each event, and what it makes stale.


async def _new_price(tx, world):
    await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=4200))


async def _new_title(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(title="Another name"))


async def _new_specification(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(specifications={"watt": 7}))


async def _new_slug(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(slug="moved-away"))


async def _featured(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(featured=True))


async def _archived(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(status="archived"))


async def _published(tx, world):
    await catalog.edit.change(tx, world["draft"], catalog.edit.Changes(status="active"))


async def _added(tx, world):
    await a_product(tx, sku="NEW", title="New lamp", category=["Home", "Lamps"])


async def _moved(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(category_id=world["chairs"]))


async def _stock(tx, world):
    await inventory.correct.set_many(tx, [inventory.correct.Count(sku="LAMP", units=3)], "main")


async def _sold_out(tx, world):
    await inventory.correct.set_many(tx, [inventory.correct.Count(sku="LAMP", units=0)], "main")


async def _picture(tx, world):
    await catalog.pictures.add(tx, world["lamp"], "/api/v1/media/x.webp", "x", None)


async def _related(tx, world):
    await catalog.edit.relate(tx, world["lamp"], [world["chair"]])


async def _category(tx, world):
    await catalog.arrange.rename(tx, "lamps", "Lights")


async def _former_name(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(badge="new"))


async def _back_again(tx, world):
    await catalog.edit.change(tx, world["lamp"], catalog.edit.Changes(status="active"))


async def _review(tx, world):
    await reviews.moderate(tx, world["review"], publish=True, by="test")


async def _synonym(tx, world):
    await search.set_synonym(tx, "telly", ["lamp"])


async def _synonym_gone(tx, world):
    await search.drop_synonym(tx, "telly")


async def _attribute(tx, world):
    await catalog.attributes.define(tx, "lamps", catalog.attributes.Definition("watts", "Power", "number", "W"))


async def _shelf_added(tx, world):
    await catalog.arrange.add(tx, "Shades", "lamps")


async def _branch_moved(tx, world):
    await catalog.arrange.move(tx, "lamps", "chairs")


async def _erased(tx, world):
    await catalog.snapshot.erase(tx, [UUID(world["lamp"])])


async def _imported(tx, world):
    variants = [catalog.NewVariant(sku=sku, title=sku, price=4100, stock=1) for sku in ("LAMP", "LAMP-2")]
    again = {"external_id": "outside", "sku": "LAMP", "title": "Desk lamp, new", "price": 4100}
    (loaded,) = await catalog.Loader().load(tx, [new_product(**again, variants=variants)])
    assert not loaded.created


async def _picture_gone(tx, world):
    await catalog.pictures.drop(tx, world["picture"])


async def _rated(tx, world):
    await catalog.keep.rate(tx, UUID(world["lamp"]), 4.5, 2)


async def _owed(tx, world):
    await inventory.set_rules(tx, "LAMP", "main", backorder_limit=5, low_at=None)


async def _withdrawn(tx, world):
    await reviews.moderate(tx, world["review"], publish=False, by="test")


DETAIL, MOVED_TO = "products/desk-lamp", "products/moved-away"
LISTS = ("products?category=lamps", "products", "search?q=lamp", "search/suggest?q=lam", "categories/tree")
EVENTS = {
    "price": (_new_price, (DETAIL, "products", "products?category=lamps", "search?q=lamp",
                           "products/oak-chair/related")),
    "title": (_new_title, (DETAIL, "products", "search?q=lamp", "search/suggest?q=lam")),
    "specification": (_new_specification, (DETAIL,)),
    "slug": (_new_slug, (DETAIL, MOVED_TO, "products")),
    "featured": (_featured, ("products/featured",)),
    "archived": (_archived, (DETAIL, *LISTS)),
    "published": (_published, ("products/hidden-lamp", *LISTS)),
    "added": (_added, ("products/new-lamp", *LISTS, "products/desk-lamp/related", DETAIL)),
    "moved": (_moved, (DETAIL, "products?category=lamps", "products?category=chairs", "categories/tree", "categories")),
    "stock": (_stock, (DETAIL,)),
    "sold out": (_sold_out, (DETAIL, "products", "products?in_stock=true", "products/oak-chair")),
    "picture": (_picture, (DETAIL, "products")),
    "related": (_related, (DETAIL, "products/desk-lamp/related")),
    "former name": (_former_name, ("products?category=lights", "products?category=lamps")),
    "back again": (_back_again, (DETAIL, "products/oak-chair")),
    "category": (_category, ("categories/lamps", "categories", DETAIL)),
    "review": (_review, ("products/desk-lamp/reviews",)),
    "synonym": (_synonym, ("search?q=telly&limit=5&sort=price",)),
    "synonym gone": (_synonym_gone, ("search?q=telly&limit=5&sort=price",)),
    "attribute": (_attribute, (DETAIL,)),
    "shelf added": (_shelf_added, ("categories/lamps", "categories/tree", "categories")),
    "branch moved": (_branch_moved, ("categories/tree", "categories/lamps", "categories/chairs", DETAIL)),
    "erased": (_erased, (DETAIL, *LISTS)),
    "imported": (_imported, (DETAIL, "products", "products?category=lamps", "search?q=lamp")),
    "picture gone": (_picture_gone, (DETAIL, "products")),
    "rated": (_rated, (DETAIL, "products", "products?rating_min=4")),
    "owed": (_owed, (DETAIL, "products", "products?in_stock=true")),
    "withdrawn": (_withdrawn, ("products/desk-lamp/reviews",)),
}  # fmt: skip


@pytest.fixture
async def world(request, processes) -> dict[str, str]:
    """A lamp and a chair, a lamp that is no draft for long, and a review that waits."""
    db, _ = processes
    async with db.tx() as tx:
        lamp, chair = await some_products(
            tx, new_product(sku="LAMP", external_id="outside", title="Desk lamp", price=5000,
                            category=["Home", "Lamps"], stock=0 if "owed" in request.node.name else 5),
            new_product(sku="CHAIR", title="Oak chair", price=9000, category=["Home", "Chairs"]),
        )  # fmt: skip
        draft = await a_product(tx, sku="HIDDEN", title="Hidden lamp", category=["Home", "Lamps"], status="draft")
        await catalog.edit.relate(tx, chair, [lamp])
        chairs = await tx.value(CHAIRS)
        if "former" in request.node.name:
            await catalog.arrange.rename(tx, "lamps", "Lights", "lights")
            await catalog.arrange.rename(tx, "lights", "Lamps", "lamps")
        if "back" in request.node.name:
            await catalog.edit.change(tx, lamp, catalog.edit.Changes(status="archived"))
        review = uuid4()
        await tx.execute(REVIEW, review, lamp)
        if "withdrawn" in request.node.name:
            await reviews.moderate(tx, review, publish=True, by="test")
        if "synonym gone" in request.node.name:
            await search.set_synonym(tx, "telly", ["lamp"])
        picture = None
        if "picture gone" in request.node.name:
            picture = await catalog.pictures.add(tx, lamp, "/api/v1/media/y.webp", "y", None)
    await search.learn(db, always=True)
    await heard()
    return {"lamp": lamp, "chair": chair, "draft": draft, "chairs": chairs, "review": review,
            "picture": picture}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
async def test_each_event_is_seen_at_once_by_every_process(processes, world, event):
    db, shops = processes
    change, paths = EVENTS[event]
    before = {path: (await every(shops, path))[0] for path in paths}
    await every(shops, "products/oak-chair")
    async with db.tx() as tx:
        await change(tx, world)
    await heard()
    for path in paths:
        answers = await every(shops, path)
        assert (answers[0].status_code, answers[0].content) != (before[path].status_code, before[path].content), path
        assert len({answer.status_code for answer in answers}) == 1
        if answers[0].status_code < 400:
            assert len({answer.content for answer in answers}) == 1


async def test_what_search_learns_or_writes_anew_is_told(processes, world):
    db, shops = processes
    for work, left in ((search.learn(db, always=True), 2), (_rewritten(db, world), 0), (_switched(db), 0)):
        for path in ("search?q=lamp", "products/oak-chair", "products?category=chairs"):
            await every(shops, path)
        await work
        await heard()
        assert [len(shop.cache.memory) for shop in shops] == [left] * 3
        assert not [one.key for shop in shops for one in shop.cache.memory if "search" in one.tags]


async def _rewritten(db, world) -> None:
    async with db.tx() as tx:
        await tx.value(REWRITE, [world["lamp"]])


async def _switched(db) -> None:
    async with db.tx() as tx:
        await tx.execute(SWITCH)


async def test_what_did_not_change_stays_in_memory(processes, world):
    db, shops = processes
    paths = (
        "products/oak-chair/reviews", "categories", "products?category=chairs", "products/featured",
        "products/desk-lamp/reviews", "products/desk-lamp/related", "products/oak-chair",
    )  # fmt: skip
    for path in paths:
        await every(shops, path)
    async with db.tx() as tx:
        await _stock(tx, world)
    await heard()
    statements: list[str] = []
    with listening(statements.append):
        for path in paths:
            await every(shops, path)
    assert statements == []
    async with db.tx() as tx:
        await _new_price(tx, world)
    await heard()
    with listening(statements.append):
        await shops[0].get("products?category=chairs")
    assert statements == [], "another category's list has nothing of it"


async def test_a_page_is_made_once_and_then_takes_no_statement(processes, world):
    _, shops = processes
    statements: list[str] = []
    with listening(statements.append):
        answers = await asyncio.gather(*[shop.get(DETAIL) for shop in shops for _ in range(10)])
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["x-request-id"] for answer in answers}) == 30
        assert statements == ["catalog.show_product"] * 2, "once for those with a Redis, once without"
        statements.clear()
        await every(shops, DETAIL)
        await every(shops, f"{DETAIL}?utm_source=x&limit=7")
        await every(shops, "products/nowhere")
    assert statements == ["catalog.show_product", "catalog.moved_product"] * 2, "what is missing is shared, too"
    answers = await every(shops, "products/nowhere")
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "product_not_found")] * 3
    assert len({answer.json()["request_id"] for answer in answers}) == 3


async def test_nothing_is_read_between_a_change_and_the_end_of_its_transaction(processes, world):
    """A page that is made while the change is not committed yet is the old one, and does not stay."""
    db, shops = processes
    changed, looked = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with db.tx() as tx:
            await _new_title(tx, world)
            changed.set()
            await looked.wait()

    writing = asyncio.create_task(write())
    await changed.wait()
    assert "Desk lamp" in (await shops[0].get(DETAIL)).text
    looked.set()
    await writing
    await heard()
    assert [("Another name" in answer.text) for answer in await every(shops, DETAIL)] == [True] * 3


async def test_a_writer_and_readers_in_every_process(processes, world):
    """Whoever asks a tenth of a second after a change, or later, sees it."""
    db, shops = processes
    committed: list[tuple[float, int]] = [(0.0, 0)]
    loop, over, seen = asyncio.get_running_loop(), asyncio.Event(), 0

    async def write() -> None:
        for number in range(1, 60):
            async with db.tx() as tx:
                await tx.execute(TOUCH, world["lamp"], f"Lamp {number:04}")
            committed.append((loop.time(), number))
            await asyncio.sleep(random.uniform(0, 0.05))
        over.set()

    async def read(shop: Client, path: str) -> None:
        nonlocal seen
        while not over.is_set():
            asked = loop.time()
            text = (await shop.get(path)).text
            least = max(number for at, number in committed if at <= asked - SOON)
            shown = int(text.partition("Lamp ")[2][:4]) if "Lamp " in text else 0
            assert shown >= least, (path, shown, least)
            seen += 1
            await asyncio.sleep(0)

    readers = [read(shop, path) for shop in shops for path in (DETAIL, "products", "products?category=lamps")]
    await asyncio.gather(write(), *readers)
    assert seen > 300
    assert sum(tally.hits for tally in shops[0].cache.tallies.values()) > 20


async def test_a_lost_connection_hands_out_nothing_that_may_be_old(processes, world, fresh_url):
    db, shops = processes
    await every(shops, DETAIL)
    async with db.tx() as tx:
        await tx.execute(CUT)
        await tx.execute(TOUCH, world["lamp"], "Changed unheard")
    await asyncio.sleep(0.02)
    assert ["Changed unheard" in answer.text for answer in await every(shops, DETAIL)] == [True] * 3
    async with asyncio.timeout(5):
        while not all(shop.cache.sure for shop in shops):  # noqa: ASYNC110 - the listener does it
            await asyncio.sleep(0.02)
    assert ["Changed unheard" in answer.text for answer in await every(shops, DETAIL)] == [True] * 3


# Before somebody asks.


async def test_what_is_asked_for_most_is_made_at_the_start_and_after_a_change(fresh_url, tmp_path):
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    async with db.tx() as tx:
        lamp, _ = await some_products(tx, new_product(sku="LAMP", title="Desk lamp"), new_product(title="Other"))
    async with serving(db, fresh_url, tmp_path, "") as shop:
        for _ in range(30):
            await shop.get(DETAIL)
        await shop.get("products/nowhere")
        await shop.get("products?utm_source=x&sort=price")
        async with db.tx() as tx:
            await tx.execute(TOUCH, lamp, "Another name")
        await heard()
        statements: list[str] = []
        with listening(statements.append):
            assert "Another name" in (await shop.get(DETAIL)).text
        assert statements == [], "it was made anew before somebody asked"
    async with db.read() as tx:
        known = dict(await asked.most_asked(tx, 10))
    assert round(known.pop(f"/api/v1/{DETAIL}")) == 31, "a clean stop loses nothing"
    assert {key: round(times) for key, times in known.items()} == {"/api/v1/products?sort=price": 1}
    async with serving(db, fresh_url, tmp_path, "", CACHE_WARM="1") as shop:
        await heard()
        statements = []
        with listening(statements.append):
            for path in (DETAIL, "products", "categories", "categories/tree", "products/featured"):
                assert (await shop.get(path)).status_code == 200
        assert statements == []
        assert (await shop.get("products?sort=price")).status_code == 200
    await db.close()


async def test_who_makes_pages_before_somebody_asks_says_so(fresh_url, tmp_path):
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    async with serving(db, fresh_url, tmp_path, "") as shop:
        await heard()
        platform = shop.shop.platform
        assert not report.of(platform.cache, platform.redis).warming
        holding = await asyncpg.connect(fresh_url)
        async with holding.transaction():
            await holding.execute("LOCK TABLE platform.asked")
            async with db.tx() as tx:
                await report.warm(tx)
            await heard()
            assert report.of(platform.cache, platform.redis).warming
        await holding.close()
        await heard()
        assert not report.of(platform.cache, platform.redis).warming
    await db.close()


async def test_a_search_that_finds_nothing_is_not_asked_for_again(fresh_url, tmp_path):
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    async with db.tx() as tx:
        await a_product(tx, title="Desk lamp")
    async with serving(db, fresh_url, tmp_path, "") as shop:
        for words in ("lamp", "nonsense"):
            assert (await shop.get(f"search?q={words}")).status_code == 200
        assert list(shop.cache.asked.counts) == ["/api/v1/search?q=lamp"]
    await db.close()


async def test_what_is_counted_survives_a_database_that_is_away(db):
    counted = asked.Asked()
    counted.add("a", 3)
    counted.add("b")

    class Away:
        def tx(self):
            raise DatabaseUnavailable

    await counted.write(Away())
    counted.add("a")
    assert counted.counts == {"a": 4, "b": 1}
    await counted.write(db)
    await counted.write(db)
    assert counted.counts == {}
    with clock.held(clock.now() + timedelta(days=1)):
        async with db.tx() as tx:
            assert [(key, round(times, 2)) for key, times in await asked.most_asked(tx, 9)] == [("a", 2.0), ("b", 0.5)]
            await asked.forget(tx)
    with clock.held(clock.now() + timedelta(days=3, minutes=1)):
        async with db.tx() as tx:
            await asked.forget(tx)
            assert await asked.most_asked(tx, 9) == []


# The same in every form.


async def without_the_edge(shop: Shop, path: str) -> httpx.Response:
    """The framework's own answer to a request as it came."""

    async def framework(scope, receive, send):
        scope["state"] = {"shop": shop, "request_id": "1"}
        await routes()(scope, receive, send)

    transport = httpx.ASGITransport(framework)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test/api/v1/") as client:
        return await client.get(path)


async def test_cached_answers_are_those_that_are_made(fresh_url, tmp_path):
    """2,000 random requests, from memory and made, in every encoding."""
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    draw = random.Random(7)
    async with db.tx() as tx:
        categories = [["Home", "Lamps"], ["Home", "Chairs"], ["Garden"]]
        made = [
            new_product(sku=f"S{n}", title=f"{draw.choice(['Desk', 'Floor'])} thing {n}", price=draw.randrange(10**6),
                        category=draw.choice(categories), tags=draw.sample(["a", "b", "c"], 2)) for n in range(120)
        ]  # fmt: skip
        moved, *_ = await some_products(tx, new_product(title="Moved away"), *made)
        await catalog.edit.change(tx, moved, catalog.edit.Changes(slug="elsewhere"))
    await search.learn(db, always=True)
    requests = [_random_path(draw) for _ in range(2000)]
    async with (
        serving(db, fresh_url, tmp_path, "") as cached,
        serving(db, fresh_url, tmp_path, "", ENABLE_CACHING="false") as plain,
    ):
        await heard()
        statements: list[str] = []
        with listening(statements.append):
            await asyncio.gather(*[plain.get("products/featured") for _ in range(5)])
        assert statements == ["catalog.list_featured"] * 5, "without a cache everybody is answered anew"
        for path in set(requests):
            made, kept = await without_the_edge(plain.shop, path), await cached.get(path)
            assert made.status_code == kept.status_code, path
            assert _but_for_its_id(made) == _but_for_its_id(kept), path
            for name in ("content-type", "location", "retry-after"):
                assert made.headers.get(name) == kept.headers.get(name), path
        kinds = set()
        for path in requests:
            accepted = draw.choice(["", "gzip", "br", "zstd", "gzip, deflate, br, zstd", "identity"])
            asked = {"Accept-Encoding": accepted}
            one, two = await cached.raw(path, asked), await plain.raw(path, asked)
            assert one[0] == two[0], path
            assert one[2] == two[2] or one[0] >= 400, path
            same = one[1].keys() - {"x-request-id", "ratelimit"}
            assert {name: one[1][name] for name in same} == {name: two[1].get(name) for name in same}, path
            kinds.add((one[0], one[1].get("content-encoding", "")))
        assert {(200, ""), (200, "gzip"), (200, "br"), (200, "zstd")} <= kinds
        assert cached.cache.tallies["search"].hits > 500
    await db.close()


def _but_for_its_id(answer: httpx.Response) -> object:
    """What an answer says; each problem names its request."""
    return answer.content if answer.status_code < 400 else answer.json() | {"request_id": ""}


def _random_path(draw: random.Random) -> str:
    if draw.random() < 0.25:
        return f"products/{draw.choice(['desk', 'floor'])}-thing-{draw.randrange(150)}"
    if draw.random() < 0.2:
        return draw.choice([
            "categories", "categories/tree", "categories/lamps", "products/featured", "categories/no",
            "products/featured?limit=2", "products/desk-thing-1/related", "products/floor-thing-2/related?limit=0",
            "products/desk-thing-3/reviews?limit=5", "products/no/reviews", "products/desk-thing-4/reviews?cursor=x",
            "search?q=desk", "search", "search?q=", "search/suggest?q=de", "search/suggest", "products/moved-away",
        ])  # fmt: skip
    names = {
        "q": lambda: draw.choice(["desk", "floor thing", "nothing"]), "min_price": lambda: draw.randrange(10**5),
        "category": lambda: draw.choice(["lamps", "home"]), "limit": lambda: draw.choice([5, 20, 999]),
        "sort": lambda: draw.choice(["price", "-price", "title", "newest"]), "utm_source": lambda: draw.randrange(99),
        "tag": lambda: draw.choice(["a", "b", "a&tag=c"]), "in_stock": lambda: draw.choice(["true", "maybe", ""]),
        "rating_min": lambda: draw.choice(["4", "9", "nan", ""]), "page": lambda: draw.choice(["2", "0", "2&page=3"]),
        "facets": lambda: draw.choice(["brand", "colour", ""]), "spec[x]": lambda: draw.choice(["", "1", "1" * 300]),
        "cursor": lambda: draw.choice(["", "no"]), "count": lambda: draw.choice(["exact", "all"]),
    }  # fmt: skip
    chosen_names = draw.sample(list(names), draw.randrange(0, 4))
    return "products?" + "&".join(f"{name}={str(names[name]()).replace(' ', '+')}" for name in chosen_names)


async def test_a_form_is_what_it_says(processes, world):
    _, shops = processes
    plain = await shops[0].raw(DETAIL, {})
    for encoding, undo in (("gzip", gzip.decompress), ("br", brotli.decompress), ("zstd", zstd.decompress)):
        status, headers, body = await shops[0].raw(DETAIL, {"Accept-Encoding": encoding})
        assert (status, undo(body)) == (200, plain[2])
        assert (headers["content-encoding"], int(headers["content-length"])) == (encoding, len(body))
        assert headers["vary"] == "accept-encoding"
        assert headers["etag"] != plain[1]["etag"], "a strong tag is of one form"
        again = await shops[1].raw(DETAIL, {"Accept-Encoding": encoding, "If-None-Match": headers["etag"]})
        assert (again[0], again[2], again[1]["etag"]) == (304, b"", headers["etag"])
        other = await shops[1].raw(DETAIL, {"If-None-Match": headers["etag"]})
        assert other[0] == 200
        small = await shops[0].raw("products?limit=1&min_price=999999", {"Accept-Encoding": encoding})
        assert "content-encoding" not in small[1]


@pytest.mark.parametrize(("accepted", "encoding"), [
    (b"gzip, deflate, br, zstd", b"zstd"), (b"gzip, br", b"br"), (b"GZIP", b"gzip"), (b"", b""), (b"identity", b""),
    (b"*", b"zstd"), (b"*;q=0", b""), (b"gzip;q=0, *;q=0.5", b"zstd"), (b"br;q=0.5, gzip;q=0.8", b"gzip"),
    (b"identity;q=1, gzip;q=0.5", b""), (b"gzip;q=x", b""), (b"gzip;q=1.5", b""), (b"deflate", b""), (b",,;q=,", b""),
    (b"gzip;q=nan", b""),
])  # fmt: skip
def test_the_encoding_is_the_one_that_is_liked_best(accepted, encoding):
    assert chosen(accepted) == encoding


def test_compressing_gives_the_same_bytes_every_time():
    for compress in COMPRESS.values():
        assert compress(b"abc" * 1000) == compress(b"abc" * 1000)


async def test_a_cdn_is_told_how_long_and_by_which_keys(fresh_url, tmp_path, monkeypatch):
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    async with db.tx() as tx:
        lamp = await a_product(tx, title="Desk lamp", category=["Home", "Lamps"])
    async with serving(db, fresh_url, tmp_path, "", CDN_TTL="3600") as shop:
        answer = await shop.get("products?category=lamps")
        assert answer.headers["cdn-cache-control"] == "max-age=3600, stale-while-revalidate=60"
        assert answer.headers["surrogate-key"] == "list:lamps shop"
        assert answer.headers["cache-control"] == "public, no-cache", "browsers ask"
        assert f"product:{lamp}" in (await shop.get(DETAIL)).headers["surrogate-key"].split()
        for path in ("products/nowhere", "products?limit=x", "carts/mine"):
            assert "cdn-cache-control" not in (await shop.get(path)).headers

        async def away():
            raise DatabaseUnavailable

        shop.cache.doubt()
        with monkeypatch.context() as patch:
            patch.setattr(db, "acquire", away)
            old = await shop.get("products?category=lamps")
        assert (old.status_code, old.json()) == (200, answer.json())
        assert not {"cdn-cache-control", "surrogate-key"} & old.headers.keys(), "others may know what is newer"
    async with serving(db, fresh_url, tmp_path, "") as shop:
        assert "surrogate-key" not in (await shop.get(DETAIL)).headers
    await db.close()


# What must not be shared.


async def test_nothing_but_what_is_asked_for_changes_a_shared_page(processes, world):
    """Headers that no key has: whatever they say, the page that others get is the same."""
    _, shops = processes
    poison = {
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Original-URL": "/admin", "Origin": "null",
        "X-Rewrite-URL": "/admin", "Accept-Language": "evil", "X-HTTP-Method-Override": "POST", "Cookie": "a=evil",
        "Authorization": "Bearer evil", "Content-Type": "evil", "Accept": "text/html", "User-Agent": "evil",
        "X-Request-Id": "evil-evil", "Range": "bytes=0-1", "If-Match": '"evil"', "Transfer-Encoding": "identity",
    }  # fmt: skip
    clean = {name: value for name, value in poison.items() if name != "Transfer-Encoding"}
    for path in (DETAIL, "products?category=lamps", "products/nowhere", "search?q=lamp"):
        first = await shops[0].get(path, headers=clean)
        after = await shops[0].get(path)
        assert "evil" not in after.text
        assert "evil" not in str(after.headers)
        assert after.status_code == first.status_code
        if first.status_code == 200:
            assert first.content == after.content


ODD = {
    "products/desk-lamp%3Flimit=1": 404, "products%3Flimit=1": 404, "products/desk-lamp%2Freviews": 200,
    "products/%252e": 404, "products/desk%2Dlamp": 200, "products/desk-lamp/": 200, "products/ü%C3": 404,
    "products?" + "a=1&" * 900: 200, "products?limit=1&limit=2": 422, "products?a=1&a=2": 200,
    "products?q=%FF%FE": 200, "products?q=a;b": 200, "products?limit=%31": 200,
}  # fmt: skip


async def test_odd_addresses_are_what_they_say(processes, world):
    _, shops = processes
    for path, status in ODD.items():
        for shop in (*shops, shops[0]):
            assert (await shop.get(path)).status_code == status, path
    assert (await shops[0].get(DETAIL)).json()["slug"] == "desk-lamp"


PRIVATE = (
    "me/x.css",
    "me",
    "me%2Fx.css",
    "me/..%2fproducts",
    "products/../me",
    "products/..%2fme",
    "orders/x.js",
    "admin/orders",
    "carts/mine",
    "products%2f..%2fme",
    "products/%2e%2e/me",
    "me;.css",
    "me%00.css",
    "me.css",
)


async def test_a_picture_is_made_once_for_many_and_kept(fresh_url, tmp_path, monkeypatch):
    made = []
    real = images.resized
    monkeypatch.setattr(images, "resized", lambda *given: (made.append(given[1:]), real(*given))[1])
    db = await connect(fresh_url, Options(minimum=1, maximum=4, acquire_seconds=10))
    async with serving(db, fresh_url, tmp_path, "") as shop:
        files = shop.shop.platform.files
        drawn = io.BytesIO()
        Image.new("RGB", (400, 300), "teal").save(drawn, "JPEG")
        path = f"media/{files.put(drawn.getvalue(), 'jpg')}?width=160"
        answers = await asyncio.gather(*[shop.raw(path, {"Accept": "image/webp"}) for _ in range(20)])
        assert {(status, headers["content-type"], body) for status, headers, body in answers} == {
            (200, "image/webp", answers[0][2])
        }
        assert made == [(160, "webp")]
        monkeypatch.setattr(files, "get", None)
        assert (await shop.raw(path, {"Accept": "image/webp"}))[0] == 200, "from memory"
        assert shop.cache.tallies["pictures"].rebuilds == 1
    await db.close()


async def test_private_pages_are_never_kept(processes, world):
    """However the address is written, what is of one person is not handed to another."""
    _, shops = processes
    me = await shops[0].sign_in("ada@example.com")
    for path in PRIVATE:
        for headers in (me, staff()):
            answer = await shops[0].get(path, headers=headers)
            if answer.status_code == 200:
                assert answer.headers["cache-control"] in ("no-store", "private, no-store")
        stranger = await shops[0].get(path)
        assert "ada@example.com" not in stranger.text
        assert stranger.status_code != 200
    for kept in shops[0].cache.memory:
        assert b"ada@example.com" not in kept.value.body
        assert kept.key.startswith(("/api/v1/products", "/api/v1/categories", "/api/v1/search"))


def test_public_routes_are_those_without_a_person():
    """A page that is shared must not know who asks: its handlers never look."""
    import inspect

    from tfmshop.surface.http.app import routes

    looked = []
    for route in routes().routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.opt.get("public"):
                source = inspect.getsource(handler.fn)
                looked.append(route.path)
                for word in ("signed_in", "someone", "viewer_of", "owner_of", "headers", "cookies", "client"):
                    assert word not in source, (route.path, word)
    assert len(looked) == len(public_routes()) == 10
