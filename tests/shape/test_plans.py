"""Every shape of a list at 200,000 products: no table is read from end to end, nothing large is sorted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tfmshop.commerce.search.facets import COUNT_FACETS, SAMPLE
from tfmshop.commerce.search.listing import FILTERS, LIST_PRODUCTS, MOST_RANKED, Shape, gathered
from tfmshop.commerce.search.store import SET_TIERS
from tfmshop.platform.db import Options

PRODUCTS = 200_000
LEAVES = 40
MOST_READ = 25_000
"""An eighth of the table: what one scan may look at, in the worst of all shapes."""

FILL = f"""
INSERT INTO catalog.category (id, parent_id, slug, name, ancestors) VALUES
    ('{UUID(int=1)}', NULL, 'top', 'Top', ARRAY['{UUID(int=1)}'::uuid]);
INSERT INTO catalog.category (id, parent_id, slug, name, ancestors)
SELECT id, '{UUID(int=1)}', 'leaf-' || n, 'Leaf ' || n, ARRAY['{UUID(int=1)}'::uuid, id]
FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {LEAVES}) AS n) AS leaves;
INSERT INTO catalog.category (id, slug, name, ancestors)
SELECT id, 'other-' || n, 'Other ' || n, ARRAY[id]
FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {LEAVES}) AS n) AS others;
INSERT INTO catalog.brand (id, slug, name, name_key)
SELECT gen_random_uuid(), 'brand-' || n, 'Brand ' || n, 'brand ' || n FROM generate_series(1, 20) AS n;

CREATE TEMPORARY TABLE shelves AS
SELECT id, ancestors, row_number() OVER () - 1 AS n FROM catalog.category WHERE slug <> 'top';
CREATE TEMPORARY TABLE makers AS SELECT id, row_number() OVER () - 1 AS n FROM catalog.brand;

INSERT INTO search.entry
SELECT gen_random_uuid(), s.id, m.id, 500 + (r.a * 150000)::bigint, (2 + r.b * 3)::real,
    (10000 / (1 + r.c * 500))::bigint, timestamptz '2026-01-01' - r.d * interval '900 days', r.e > 0.08, i.i <= 20000,
    (r.f * 2000000000)::integer, w.title,
    ARRAY['t:' || w.colour, 's:colour=' || w.colour, 's:weight=' || (r.a * 20000)::integer, 'b:' || m.id]
        || ARRAY(SELECT 'c:' || up FROM unnest(s.ancestors) AS up),
    'kind', to_tsvector('simple', w.title), 0.3, to_tsvector('simple', w.title)
FROM generate_series(1, {PRODUCTS}) AS i(i)
CROSS JOIN LATERAL (SELECT i.i + 0 AS i, random() AS a, random() AS b, random() AS c, random() AS d, random() AS e,
    random() AS f) AS r
JOIN shelves AS s ON s.n = (r.d * 1000000)::bigint % {2 * LEAVES}
JOIN makers AS m ON m.n = (r.c * 1000000)::bigint % 20
CROSS JOIN LATERAL (SELECT c AS colour, 'thing' || (r.b * 100000)::bigint % 50 || ' ' || c || ' m' || i.i AS title
    FROM (SELECT (ARRAY['black', 'white', 'red', 'blue', 'green', 'sand', 'grey', 'pink'])[1 + (r.e * 7.9)::integer % 8]
        AS c) AS c) AS w
ORDER BY i.i; -- or the joins lay them out brand by brand, and some runs find the brands' index to be in that order
UPDATE search.state SET tier_open = false;
SELECT search.begin_meaning('model', 3);
INSERT INTO search.meaning SELECT product_id, ARRAY[random(), random(), random()]::real[]::halfvec
FROM search.entry WHERE first_tier LIMIT 2000;
CREATE INDEX meaning_near ON search.meaning USING hnsw (numbers halfvec_cosine_ops);
SET session_replication_role = replica;
INSERT INTO catalog.product (id, slug, title, sku, price, currency)
SELECT product_id, product_id, title, product_id, price, 'USD' FROM search.entry;
SET session_replication_role = origin;
"""

ARGS: dict[str, list[Any]] = {
    "category": ["top", None],
    "brand": ["brand 7"],
    "min_price": [20_000],
    "max_price": [90_000],
    "rating_min": [4.0],
    "facts": [["s:colour=black"]],
    "words": ["thing7"],
    "meaning": ["model", "[0.1, 0.2, 0.3]"],
}
RARE: dict[str, list[Any]] = {
    "category": ["leaf-3", None],
    "brand": ["no such brand"],
    "min_price": [150_000],
    "max_price": [600],
    "rating_min": [4.999],
    "facts": [["s:weight=777"]],
    "words": ["m12345 black"],
    "meaning": ["model", "[-0.1, 0.9, -0.9]"],
}
AFTER = {"newest": datetime(2025, 1, 1, tzinfo=UTC), "price": 50_000, "-price": 50_000, "rating": 3.5,
         "title": "thing3", "popular": 50, "relevance": 0.5, "likeness": 0.5}  # fmt: skip


@pytest.fixture(scope="module")
async def large(database_url):
    """A database with 200,000 entries, of this module alone."""
    from uuid import uuid4

    from tests.servers import create_database, drop_database

    name = f"large_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(await create_database(name))
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'search' AND tablename = 'entry' "
        "AND indexname <> 'entry_pkey'"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX search.{index['indexname']}")
    await connection.execute(FILL)
    await connection.execute("SET maintenance_work_mem = '256MB'")
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute("VACUUM ANALYZE")
    for name, value in Options().session().items():
        await connection.execute(f"SET {name} = '{value}'")
    await connection.execute("SET statement_timeout = 0")
    yield connection
    await connection.close()
    await drop_database(name)


def arguments(shape: tuple[str, ...], given: dict[str, list[Any]]) -> list[Any]:
    """Values for the parameters of a shape."""
    args = [value for word in shape[1:] if word in FILTERS for value in given.get(word, [])]
    if "after" in shape:
        args += [AFTER[shape[0]], UUID(int=1 << 127)]
    if "offset" in shape:
        args.append(200)
    return [*args, 21]


def nodes(plan: dict[str, Any]):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def plan_of(connection, sql: str, args: list[Any]) -> list[dict[str, Any]]:
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *args)
    return list(nodes(json.loads(found)[0]["Plan"]))


def mistakes(plan: list[dict[str, Any]], largest_sort: int) -> list[str]:
    """What a plan must not do."""
    found = []
    for node in plan:
        loops = node["Actual Loops"]
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in {"entry", "product", "variant"} and loops:
            found.append(f"reads {node['Relation Name']} from end to end")
        read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * loops
        if node.get("Relation Name") == "entry" and read > MOST_READ:
            found.append(f"{node['Node Type']} looks at {read:,.0f} entries")
        if "Sort" in node["Node Type"]:
            below = [child for child in node["Plans"] if child["Parent Relationship"] == "Outer"]
            sorted_rows = sum(child["Actual Rows"] * child["Actual Loops"] for child in below)
            if sorted_rows > largest_sort:
                found.append(f"sorts {sorted_rows:,.0f} rows")
    return found


SHAPES = [shape for shape in LIST_PRODUCTS.shapes() if "count_exact" not in shape]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("given", [ARGS, RARE], ids=["frequent", "rare"])
async def test_no_list_reads_a_table_or_sorts_more_than_it_needs(large, mode, given):
    await large.execute(f"SET plan_cache_mode = {mode}")
    assert len(SHAPES) > 300
    wrong = {}
    for shape in SHAPES:
        plan = await plan_of(large, LIST_PRODUCTS.of(shape).sql, arguments(shape, given))
        bound = 3 * MOST_RANKED if "ranked" in shape else max(gathered(Shape(shape)), LEAVES * 221)
        if found := mistakes(plan, bound):
            wrong[" ".join(shape)] = found
    assert wrong == {}


async def test_tiers_are_set_in_one_pass_whatever_the_statistics_say(large):
    found = await large.fetchval(f"EXPLAIN (FORMAT JSON) {SET_TIERS.sql}", 20_000)
    assert not [node["Node Type"] for node in nodes(json.loads(found)[0]["Plan"]) if "Join" in node["Node Type"]
                or "Loop" in node["Node Type"]]  # fmt: skip


async def test_facets_look_at_a_bounded_number_of_products(large):
    wrong = {}
    for shape in COUNT_FACETS.shapes():
        args = [value for word in shape if word in FILTERS for value in ARGS.get(word, [])]
        args += [["colour"]] if "by_spec" in shape else []
        plan = await plan_of(large, COUNT_FACETS.of(shape).sql, args)
        if found := mistakes(plan, 2 * SAMPLE):
            wrong[" ".join(shape)] = found
    assert wrong == {}
