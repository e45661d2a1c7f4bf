"""Every named statement prepares against the migrated schema, and every index serves one of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import platform_of
from tfmshop import app  # noqa: F401 - registers every statement
from tfmshop.commerce.accounts import store as accounts
from tfmshop.commerce.accounts import store_book as book
from tfmshop.commerce.accounts import store_identities as identities
from tfmshop.commerce.accounts import store_sessions as sessions
from tfmshop.commerce.accounts import store_staff as hired
from tfmshop.commerce.audit import store as audit
from tfmshop.commerce.cart import store as carts
from tfmshop.commerce.catalog import store as catalog
from tfmshop.commerce.catalog import store_edit as edit
from tfmshop.commerce.inventory import store as inventory
from tfmshop.commerce.news import store as news
from tfmshop.commerce.orders import store as orders
from tfmshop.commerce.orders import store_moving as moving
from tfmshop.commerce.orders import store_returns as returns
from tfmshop.commerce.orders import store_staff as staff_orders
from tfmshop.commerce.payments import store as payments
from tfmshop.commerce.search import store as search
from tfmshop.commerce.search.facets import COUNT_FACETS
from tfmshop.commerce.search.listing import LIST_PRODUCTS
from tfmshop.commerce.transfer import store as transfer
from tfmshop.commerce.transfer import store_staged as staged
from tfmshop.platform import idempotency
from tfmshop.platform.db import migrate
from tfmshop.platform.db.query import FAMILIES, QUERIES
from tfmshop.surface.sample import fill, performance

NAMES = sorted(name for name in QUERIES if not name.startswith("test."))


@pytest.fixture(scope="module")
async def connection(database_url):
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", NAMES)
async def test_every_query_prepares(connection, name):
    assert name.count(".") == 1
    if not QUERIES[name].sql.lstrip().startswith(("ANALYZE", "VACUUM")):
        await connection.prepare(QUERIES[name].sql)


async def test_the_schema_takes_every_statement_of_the_release_before(connection):
    """While workers are exchanged the release before goes on with the new schema (`tools/released` kept it)."""
    before = json.loads(Path(__file__).with_name("released.json").read_text())
    assert before["revision"] < migrate.newest()
    refused = {}
    for name, sql in before["statements"].items():
        if not sql.lstrip().startswith(("ANALYZE", "VACUUM")):
            try:
                await connection.prepare(sql)
            except asyncpg.PostgresError as error:
                refused[name] = str(error)
    assert refused == {}


@pytest.mark.parametrize("name", sorted(FAMILIES))
async def test_every_shape_of_a_family_prepares(connection, name):
    for shape in FAMILIES[name].shapes():
        await connection.prepare(FAMILIES[name].of(shape).sql)


NOW = datetime.now(UTC)
ID = uuid4()


def shape(*words: str) -> str:
    return LIST_PRODUCTS.of(words).sql


USES: list[tuple[str, list[object]]] = [
    (shape("newest", "walk", "after", "known"), [NOW, ID, 21]),
    (shape("price", "walk", "after", "known"), [1000, ID, 21]),
    (shape("rating", "walk", "after", "known"), [4.0, ID, 21]),
    (shape("title", "walk", "after", "known"), ["K", ID, 21]),
    (shape("popular", "walk", "after", "known"), [10, ID, 21]),
    (shape("newest", "category", "walk", "after", "known"), ["laptops", None, NOW, ID, 21]),
    (shape("price", "category", "walk", "after", "known"), ["laptops", None, 1000, ID, 21]),
    (shape("rating", "category", "walk", "after", "known"), ["laptops", None, 4.0, ID, 21]),
    (shape("title", "category", "walk", "after", "known"), ["laptops", None, "K", ID, 21]),
    (shape("popular", "category", "walk", "after", "known"), ["laptops", None, 10, ID, 21]),
    (shape("newest", "brand", "walk", "after", "known"), ["aldora", NOW, ID, 21]),
    (shape("price", "brand", "walk", "after", "known"), ["aldora", 1000, ID, 21]),
    (shape("newest", "out_of_stock", "few"), [21]),
    (shape("title", "facts", "few"), [["s:weight_g=777"], 21]),
    (shape("relevance", "words", "ranked"), ["laptop silver", 21]),
    (COUNT_FACETS.of(("by_brand",)).sql, []),
    (search.CORRECT.sql, [["labtop"], ["labtop"]]),
    (search.MISSED.sql, [10]),
    (catalog.FEATURED.sql, [10]),
    (catalog.RELATED.sql, [ID, None, 4]),
    (catalog.SHOW_PRODUCT.sql, [ID, None]),
    (catalog.SHOW_PRODUCT.sql, [None, "x"]),
    (catalog.SHOW_CATEGORY.sql, [None, "laptops"]),
    (catalog.FIND_IMPORTED.sql, [["perf-1"], ["PERF-1"]]),
    (catalog.FIND_VARIANTS.sql, [["PERF-0000001"]]),
    (catalog.TAKEN_SLUGS.sql, [["a", "b"]]),
    (catalog.SAVE_STAGED.sql, [ID, NOW]),
    (transfer.START.sql, [ID, "f", "f"]),
    (transfer.LIST.sql, [10]),
    (staged.LIST.sql, [NOW, ID, 10]),
    (staged.FORGET.sql, [timedelta(days=7)]),
    (edit.PUBLISH_DUE.sql, []),
    (edit.WITHDRAW_DUE.sql, []),
    (edit.TAKE_BACK_SLUG.sql, ["x", ID]),
    (catalog.DROP_PICTURES.sql, [[ID]]),
    (catalog.LIST_NEWEST.sql, [10, NOW, ID, None]),
    (catalog.LIST_OFF_SALE.sql, [10, NOW, ID, "draft"]),
    (search.SUGGEST.sql, ["BR1234X essential", "br1234x essential"]),
    (inventory.STOCKED.sql, [[ID]]),
    (inventory.TAKE.sql, [[ID], [1], [ID], [ID]]),
    (inventory.GIVE_BACK.sql, [[ID], [1], ID]),
    (inventory.RELEASE_EXPIRED.sql, [None]),
    (inventory.UNTOLD.sql, []),
    (inventory.HISTORY.sql, [ID, 10]),
    (carts.VIEW.sql, [ID, b"x", None]),
    (carts.MINE.sql, [ID, ID, "USD", NOW]),
    (carts.DROP_EXPIRED.sql, []),
    (orders.FIND.sql, [ID, ID, None]),
    (orders.FIND_BY_NUMBER.sql, ["x", ID, None]),
    (orders.LIST_OWN.sql, [ID, NOW, ID, 10]),
    (orders.LIST_OWN_BY_STATUS.sql, [ID, NOW, ID, 10, "paid"]),
    (staff_orders.LIST.sql, [10, NOW, ID, NOW]),
    (staff_orders.LIST_BY_STATUS.sql, [10, NOW, ID, NOW, "cancelled"]),
    (staff_orders.LIST_OF_NUMBER.sql, [10, NOW, ID, NOW, ["ABCDE-FGHJK"], None]),
    (staff_orders.LIST_OF_EMAIL.sql, [10, NOW, ID, NOW, "ada@example.com", None]),
    (staff_orders.LIST_OF_BUYER.sql, [10, NOW, ID, NOW, ID, "paid"]),
    (staff_orders.NOTES.sql, [ID, NOW, ID, 10]),
    (orders.UNPAID.sql, [NOW, [], NOW, []]),
    (payments.BALANCE.sql, [ID]),
    (moving.OPEN_LINES.sql, [["1"]]),
    (accounts.FIND_BY_EMAIL.sql, ["person1@example.com", ""]),
    (accounts.LIST.sql, [10]),
    (accounts.LIST_BY_ROLE.sql, [10, "support"]),
    (accounts.LIST_INACTIVE.sql, [10]),
    (hired.FIND_PEOPLE.sql, [None, None, None, 10, "person1@%"]),
    (identities.LIST.sql, [ID]),
    (book.BOOK.sql, [ID]),
    (sessions.LIST.sql, [ID]),
    (audit.LIST_OF_SUBJECT.sql, [10, 20, "x"]),
    (audit.LIST_BY.sql, [10, 20, "x"]),
    (sessions.FORGET_SESSIONS.sql, [timedelta(days=7)]),
    (sessions.FORGET_PROOFS.sql, [timedelta(days=7)]),
    (sessions.ADD_PROOF.sql, [ID, "person1@example.com", "reset", b"x", NOW, NOW, 5]),
    (sessions.ADD_EMAIL_PROOF.sql, [ID, ID, "person1@example.com", b"x", NOW, NOW, 5]),
    (idempotency.BEGIN.sql, [["s"], ["k"], [b"f"], [ID], timedelta(seconds=1)]),
    (idempotency.FORGET_OLD.sql, [timedelta(hours=1)]),
    (carts.LEFT_BEHIND.sql, [NOW, 10]),
    (news.FORGET.sql, [timedelta(days=1)]),
    (news.ERASE.sql, [["person1@example.com"], [ID]]),
    (news.CLAIM.sql, [ID, ID, timedelta(seconds=1)]),
    (returns.RETURNS_OF.sql, [ID]),
    (returns.RETURNS_ASKED.sql, [20]),
    ("SELECT product_id FROM catalog.related WHERE other_id = ANY($1)", [[ID]]),
]

DRAFTS = """
INSERT INTO catalog.product (id, slug, title, sku, price, currency, status)
SELECT gen_random_uuid(), 'draft-' || n, 'Draft', 'draft-' || n, 100, 'USD', 'draft' FROM generate_series(1, 50) AS n
"""
"""As shops have them, most of them without a moment at which they are published."""
INDEXES = """
SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('accounts', 'audit', 'catalog', 'inventory', 'cart', 'orders', 'news', 'payments', 'platform',
    'pricing', 'promotions', 'search', 'transfer')
"""
PLAIN = f"{INDEXES} AND NOT i.indisunique AND NOT i.indisexclusion"


def indexes_in(plan: str) -> set[str]:
    """The indexes that a plan reads or arbitrates by."""
    words = plan.replace(",", " ").split()
    follow = {"using", "on", "Indexes:"}
    return {after for word, after in pairwise(words) if word in follow}


async def test_every_index_that_guards_no_rule_is_used_by_a_named_query(fresh_url, wide_db, settings):
    platform = platform_of(settings, wide_db)
    await fill(platform, performance, 1, lambda *_: None)
    connection = await asyncpg.connect(fresh_url)
    await connection.execute(DRAFTS)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    await connection.execute("SET enable_seqscan = off")
    used: set[str] = set()
    for sql, args in USES:
        async with connection.transaction():
            rows = await connection.fetch(f"EXPLAIN {sql}", *args)
        used |= indexes_in("\n".join(row[0] for row in rows))
    all_indexes = await connection.fetch(INDEXES)
    plain = {row[0] for row in await connection.fetch(PLAIN)}
    await connection.close()
    await platform.redis.close()
    platform.passwords.close()
    assert sorted(plain - used) == []
    assert len(all_indexes) >= 40
