"""The SQL of product lists: every combination of allow-listed filters and sorts, as one family of statements.

A shape is a tuple: the sort first, then one word for each condition, in the order of their parameters. The last
parameter is always the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from tfmshop.platform.db import Family

COUNTED = 1000
"""How many matches are counted before a total becomes an estimate."""

ITEM = """p.id, p.slug, p.sku, p.external_id, p.title, b.name, p.price, p.compare_at_price, p.currency,
    p.rating, p.review_count, p.in_stock, p.image, p.badge"""

FILTERS: Final = {
    "category": """p.category_id IN (SELECT c.id FROM catalog.category AS c WHERE c.ancestors @> ARRAY[(
        SELECT id FROM catalog.category WHERE slug = {0} OR id = {1}::uuid)])""",
    "brand": """p.brand_id = (
        SELECT id FROM catalog.brand WHERE name_key = {0} OR slug = {0} ORDER BY name_key <> {0} LIMIT 1)""",
    "min_price": "p.price >= {0}",
    "max_price": "p.price <= {0}",
    "in_stock": "p.in_stock",
    "out_of_stock": "NOT p.in_stock",
    "rating_min": "p.rating >= {0}::real",
    "tags": "p.tags @> {0}::text[]",
    "spec": "(p.specifications @> {0}::jsonb OR p.specifications @> {1}::jsonb)",
    "q": "p.search @@ websearch_to_tsquery('english', {0})",
}

RANK: Final = "ts_rank_cd(p.search, websearch_to_tsquery('english', {q}))"

SORTS: Final = {
    "newest": ("p.published_at", "DESC", "timestamptz"),
    "price": ("p.price", "ASC", "bigint"),
    "-price": ("p.price", "DESC", "bigint"),
    "rating": ("p.rating", "DESC", "real"),
    "title": ("p.title", "ASC", "text"),
    "popular": ("p.popularity", "DESC", "bigint"),
    "relevance": (RANK, "DESC", "real"),
}
"""Column, direction and type of each sort; the id breaks ties in the same direction."""

ENDINGS: Final = ("after", "offset", "count", "count_exact")


def write(shape: tuple[str, ...]) -> str:
    """The statement of one shape."""
    numbers = iter(range(1, 100))
    conditions = ["p.status = 'active'"]
    q = ""
    for word in shape[1:]:
        if word in FILTERS:
            text = FILTERS[word]
            places = [f"${next(numbers)}" for _ in range(2 if "{1}" in text else "{0}" in text)]
            conditions.append(text.format(*places))
            q = places[0] if word == "q" else q
    column, direction, kind = SORTS[shape[0]]
    column = column.format(q=q)
    counted = " AND ".join(conditions)
    if "after" in shape:
        sign = ">" if direction == "ASC" else "<"
        conditions.append(f"({column}, p.id) {sign} (${next(numbers)}::{kind}, ${next(numbers)}::uuid)")
    offset = f"OFFSET ${next(numbers)}" if "offset" in shape else ""
    page = f"""SELECT p.id, {column} AS place FROM catalog.product AS p
        WHERE {" AND ".join(conditions)}
        ORDER BY {column} {direction}, p.id {direction} LIMIT ${next(numbers)} {offset}"""
    rows = f"""SELECT page.place, {ITEM} FROM ({page}) AS page
        JOIN catalog.product AS p ON p.id = page.id LEFT JOIN catalog.brand AS b ON b.id = p.brand_id"""
    ordered = f"ORDER BY place {direction}, id {direction}"
    if "count" in shape or "count_exact" in shape:
        return f"SELECT * FROM ({_count(shape, counted)}) AS c LEFT JOIN ({rows}) AS r ON true {ordered}"
    return f"SELECT NULL::bigint AS total, NULL::bigint AS at_most, r.* FROM ({rows}) AS r {ordered}"


def _count(shape: tuple[str, ...], condition: str) -> str:
    """The number of matches, counted no further than is worth it; `at_most` estimates the rest where it can."""
    if "count_exact" in shape:
        return f"SELECT count(*) AS total, NULL::bigint AS at_most FROM catalog.product AS p WHERE {condition}"
    unfiltered = not any(word in FILTERS for word in shape[1:])
    whole = "(SELECT reltuples::bigint FROM pg_class WHERE oid = 'catalog.product'::regclass)" if unfiltered else "NULL"
    return f"""SELECT count(*) AS total, {whole}::bigint AS at_most
        FROM (SELECT 1 FROM catalog.product AS p WHERE {condition} LIMIT {COUNTED + 1}) AS bounded"""


def shapes() -> Iterator[tuple[str, ...]]:
    """Every sort with no filter, each filter and each pair of filters; every ending with each sort."""
    for sort in SORTS:
        base = ("q",) if sort == "relevance" else ()
        others = [name for name in FILTERS if name not in base]
        for size in range(3):
            for chosen in combinations(others, size):
                yield (sort, *base, *chosen, "count")
        for ending in ENDINGS:
            yield (sort, *base, ending)


LIST_PRODUCTS = Family("catalog.list_products", write, shapes)
