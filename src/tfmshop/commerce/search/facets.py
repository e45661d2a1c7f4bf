"""What the products of a list have in common: brands, prices, ratings, specifications, with counts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

from msgspec import UNSET

from tfmshop.commerce.search.listing import FILTERS, Shape
from tfmshop.commerce.search.model import Counted, Facets, PriceRange, RatingAtLeast, Wanted, fact_name
from tfmshop.platform.db import Family, Row, Tx

COUNTED: Final = 1000
"""Up to so many matches are counted one by one; of more, a sample of `SAMPLE` products is looked at."""
SAMPLE: Final = 5_000
MOST_VALUES: Final = 20
"""Values of a facet, most frequent first."""
BOUNDS: Final = [step * 10**power for power in range(2, 10) for step in (1, 2, 5)]
"""Where price ranges begin, in minor units: 1, 2, 5, 10, 20, 50, ... of the currency."""

_COLUMNS: Final = "e.brand_id, e.price, e.rating, e.facts"
_OF: Final = {
    "by_brand": f"""SELECT 'brand' AS facet, '' AS name, b.name AS value, count(*) AS products FROM looked_at
        JOIN catalog.brand_name AS b ON b.id = looked_at.brand_id GROUP BY b.name
        ORDER BY count(*) DESC, b.name LIMIT {MOST_VALUES}""",
    "by_price": f"""SELECT 'price', '', width_bucket(price, ARRAY{BOUNDS}::bigint[])::text, count(*) FROM looked_at
        GROUP BY 3""",
    "by_rating": """SELECT 'rating', '', stars::text, count(*) FROM looked_at
        JOIN generate_series(1, 5) AS stars ON rating >= stars GROUP BY stars""",
    "by_spec": f"""SELECT 'spec', name, value, products FROM (
        SELECT substr(split_part(fact, '=', 1), 3) AS name, substr(fact, strpos(fact, '=') + 1) AS value,
            count(*) AS products,
            row_number() OVER (
                PARTITION BY split_part(fact, '=', 1) ORDER BY count(*) DESC, fact) AS number
        FROM looked_at CROSS JOIN LATERAL unnest(facts) AS fact
        WHERE starts_with(fact, 's:') AND substr(split_part(fact, '=', 1), 3) = ANY({{0}}::text[])
        GROUP BY fact) AS v WHERE number <= {MOST_VALUES}""",
}


def write(words: tuple[str, ...]) -> str:
    """The statement of one shape: the filters, then the facets."""
    shape = Shape(("", *words))
    joined = " CROSS JOIN asked" if shape.has("words") else ""
    along = "" if set(words) & set(FILTERS) - {"in_stock"} else "ORDER BY e.product_id"
    shape.tables += [
        f"few AS MATERIALIZED ({shape.matches(_COLUMNS)} {along} LIMIT {COUNTED + 1})",
        f"n AS MATERIALIZED (SELECT count(*) <= {COUNTED} AS are_all FROM few)",
        f"""sample AS MATERIALIZED (SELECT {_COLUMNS} FROM (
            SELECT * FROM search.entry WHERE NOT (SELECT are_all FROM n) ORDER BY dice LIMIT {SAMPLE}) AS e{joined}
            {shape.where(*shape.inside)})""",
        "looked_at AS MATERIALIZED (SELECT * FROM few WHERE (SELECT are_all FROM n) UNION ALL SELECT * FROM sample)",
    ]
    counted = " UNION ALL ".join(
        f"({_OF[word].format(shape.place()) if word == 'by_spec' else _OF[word]})" for word in words if word in _OF
    )
    return f"""WITH {", ".join(shape.tables)} SELECT c.*, n.are_all,
            (SELECT greatest(reltuples / {SAMPLE}, 1) FROM pg_class WHERE oid = 'search.entry'::regclass) AS times
        FROM n LEFT JOIN ({counted}) AS c(facet, name, value, products) ON true
        ORDER BY facet, name, products DESC, value"""


def shapes() -> Iterator[tuple[str, ...]]:
    """Every facet with no filter, each filter and each pair of filters."""
    for size in range(3):
        for chosen in combinations([name for name in FILTERS if name != "meaning"], size):
            yield (*chosen, *_OF)
    for facet in _OF:
        yield (facet,)


COUNT_FACETS: Final = Family("search.count_facets", write, shapes)


async def facets(tx: Tx, wanted: Wanted, filters: list[str], args: list[Any]) -> Facets:
    """The facets that were asked for, in one statement."""
    plain: list[str] = [name for name in ("brand", "price", "rating") if name in wanted.facets]
    names = [name[5:-1] for name in wanted.facets if name.startswith("spec[")]
    stored = [fact_name(name) for name in names]
    words = (*filters, *(f"by_{name}" for name in plain), *(["by_spec"] if names else []))
    rows = await tx.rows(COUNT_FACETS.of(words), *args, *([stored] if names else []))
    return _facets(rows, plain, names)


def _facets(rows: list[Row], plain: list[str], names: list[str]) -> Facets:
    exact = bool(rows[0]["are_all"])
    found: dict[str, list[tuple[str, str, int]]] = {}
    for row in rows if rows[0]["facet"] is not None else ():
        count = row["products"] if exact else round(row["products"] * row["times"])
        found.setdefault(row["facet"], []).append((row["name"], row["value"], count))
    brand = [Counted(value, count) for _, value, count in found.get("brand", [])]
    price = sorted((int(value), count) for _, value, count in found.get("price", []))
    rating = sorted(((int(value), count) for _, value, count in found.get("rating", [])), reverse=True)
    specifications: dict[str, list[Counted]] = {name: [] for name in names}
    for name, value, count in found.get("spec", []):
        for asked in names:
            if fact_name(asked) == name:
                specifications[asked].append(Counted(value, count))
    return Facets(
        exact,
        brand if "brand" in plain else UNSET,
        [_range(bucket, count) for bucket, count in price] if "price" in plain else UNSET,
        [RatingAtLeast(stars, count) for stars, count in rating] if "rating" in plain else UNSET,
        specifications if names else UNSET,
    )


def _range(bucket: int, count: int) -> PriceRange:
    return PriceRange(BOUNDS[bucket - 1] if bucket else 0, BOUNDS[bucket] - 1 if bucket < len(BOUNDS) else None, count)
