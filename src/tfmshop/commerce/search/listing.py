"""The SQL of product lists: every combination of allow-listed filters and sorts, as one family of statements.

A shape is a tuple: the sort first, then one word for each condition, in the order of their parameters; then how the
page is found and counted. The last parameter is always the number of rows. decisions/0011-flat-lists.md says why a
list is fast at a million products:

- `walk` follows an index in the order of the sort and stops when the page is full. In a category it does so in every
  category below it and merges what it finds.
- `few` first tries the next 2,000 products in the order of the sort: matches that are not rare fill the page from
  them, and how soon they did tells about how many there are. Else it gathers up to 5,001 matches through the GIN
  index. If that is all, they are sorted: the page and the exact total are there. If there are more, a match is never
  far away, and the list is walked.
- `alike` takes the products nearest in meaning, whatever their words are.
- `ranked` looks at the first tier of products, at the others when that finds little, and at products that have only
  some of the words when even then few have all.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from tfmshop.platform.db import Family

TRIED: Final = 2000
"""How many products in the order of the sort are tried before matches are gathered."""
GATHERED: Final = 5000
"""How many matches are gathered and sorted at most; an estimated total below this is not good enough."""
GATHERED_BY_TITLE: Final = 20_000
"""The same for brands and words by title: there a match may be far along the index, however many there are."""
COUNTED: Final = 1000
"""How many matches are counted before a total becomes an estimate."""
FIRST_ENOUGH: Final = 300
"""How many hits in the first tier make the others unnecessary."""
FULL_ENOUGH: Final = 50
"""How many products with all the words make those with some of them unnecessary."""
MOST_RANKED: Final = 5000
"""How many products of each sort are ranked at most."""
MOST_ALIKE: Final = 400
"""How many products near in meaning are looked at; the index is asked for no more (`hnsw.ef_search`)."""

FILTERS: Final = {
    "category": "",
    "brand": "e.brand_id = {0}",
    "min_price": "e.price >= {0}",
    "max_price": "e.price <= {0}",
    "in_stock": "e.in_stock",
    "out_of_stock": "NOT e.in_stock",
    "rating_min": "e.rating >= {0}::real",
    "facts": "e.facts @> {0}::text[]",
    "words": "e.words @@ asked.needed",
    "meaning": "",
}
_PLACES: Final = {"category": 2, "meaning": 2, "in_stock": 0, "out_of_stock": 0}

SCORE: Final = """search.score(e.head, e.dilution, e.kind, e.popularity, e.in_stock, e.words,
    asked.partly, asked.codes, asked.kind, {full})"""

SORTS: Final = {
    "newest": ("e.published_at", "DESC", "timestamptz"),
    "price": ("e.price", "ASC", "bigint"),
    "-price": ("e.price", "DESC", "bigint"),
    "rating": ("e.rating", "DESC", "real"),
    "title": ("e.title", "ASC", "text"),
    "popular": ("e.popularity", "DESC", "bigint"),
    "relevance": (SCORE, "DESC", "real"),
    "likeness": ("alike.likeness", "DESC", "real"),
}
"""Column, direction and type of each sort; the id breaks ties in the same direction."""

ASKED: Final = "asked AS MATERIALIZED (SELECT * FROM search.ask({0}))"
BRAND: Final = """(SELECT id FROM catalog.brand_name WHERE name_key = {0} OR slug = {0}
    ORDER BY name_key <> {0} LIMIT 1)"""
CATEGORY: Final = "coalesce({1}::uuid, (SELECT id FROM catalog.category_address WHERE slug = {0}))"
SHELVES: Final = f"""shelf AS MATERIALIZED (SELECT c.id, c.products FROM catalog.category_tree AS c
    WHERE c.ancestors @> ARRAY[{CATEGORY}])"""
CARD: Final = """p.id, p.slug, p.sku, p.external_id, p.title, p.brand, p.price, p.compare_at_price, p.currency,
    p.rating, p.review_count, p.in_stock, p.image, p.badge"""
HIGHLIGHT: Final = """ts_headline((SELECT language FROM search.state)::regconfig, p.title, asked.needed,
    'StartSel=<em>, StopSel=</em>, HighlightAll=true')"""


class Shape:
    """A shape taken apart: its conditions with their parameters, and the clauses that every statement uses."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.sort, *self.words = words
        self._next = 1
        self.conditions: list[str] = []
        self.tables: list[str] = []
        self.source = "search.entry AS e"
        self.inside: list[str] = []
        for word in self.words:
            if word in FILTERS:
                self._filter(word, [self.place() for _ in range(_PLACES.get(word, 1))])

    def place(self) -> str:
        """The next parameter."""
        self._next += 1
        return f"${self._next - 1}"

    def _filter(self, word: str, places: list[str]) -> None:
        if word == "category":
            self.tables.append(SHELVES.format(*places))
            self.inside.append(f"e.facts @> ARRAY['c:' || {CATEGORY.format(*places)}]")
            return
        if word == "words":
            self.tables.append(ASKED.format(*places))
            self.source += " CROSS JOIN asked"
        if word == "meaning":
            self.source += f" JOIN search.alike({', '.join(places)}, {MOST_ALIKE}) AS alike USING (product_id)"
            return
        if word == "brand":
            places = [BRAND.format(*places)]
            self.inside.append(f"e.facts @> ARRAY['b:' || {places[0]}]")
        self.conditions.append(FILTERS[word].format(*places))

    def has(self, word: str) -> bool:
        """Whether the shape has that word."""
        return word in self.words

    def where(self, *more: str) -> str:
        """The WHERE clause of the filters and more."""
        every = [*more, *self.conditions]
        return f"WHERE {' AND '.join(every)}" if every else ""

    def matches(self, columns: str, *more: str) -> str:
        """A SELECT of every match, in no order."""
        return f"SELECT {columns} FROM {self.source} {self.where(*more, *self.inside)}"


def write(words: tuple[str, ...]) -> str:
    """The statement of one shape."""
    shape = Shape(words)
    column, direction, kind = SORTS[shape.sort]
    after = ""
    if shape.has("after"):
        sign = ">" if direction == "ASC" else "<"
        after = f"({column}, e.product_id) {sign} ({shape.place()}::{kind}, {shape.place()}::uuid)"
    offset = f"OFFSET {shape.place()}::bigint" if shape.has("offset") else ""
    limit = f"LIMIT {shape.place()}::bigint"
    if shape.has("walk"):
        page, total = _walk(shape, column, direction, after, limit, offset), _counted(shape)
    elif shape.has("alike"):
        page, total = _alike(shape, after, limit, offset), _alike_total()
    elif shape.has("ranked"):
        page, total = _ranked(shape, column, after, limit, offset), _ranked_total()
    else:
        page, total = _few_or_walk(shape, column, direction, after, limit, offset), _few_total(shape)
    if shape.has("count_exact"):
        total = (
            f"(SELECT count(*) FROM ({shape.matches('1')}) AS every) AS total, true AS is_exact, false AS is_partial"
        )
    with_clause = f"WITH {', '.join(shape.tables)}" if shape.tables else ""
    marked = f", {HIGHLIGHT}" if shape.has("highlight") else ""
    joined = "CROSS JOIN asked" if shape.has("highlight") else ""
    rows = f"""SELECT page.place, {CARD}{marked}
        FROM ({page}) AS page JOIN catalog.card AS p ON p.id = page.product_id {joined}"""
    order = f"ORDER BY place {direction}, id {direction}"
    if shape.has("known"):
        return f"{with_clause} SELECT NULL::bigint, true, false, r.* FROM ({rows}) AS r {order}"
    return f"{with_clause} SELECT c.*, r.* FROM (SELECT {total}) AS c LEFT JOIN ({rows}) AS r ON true {order}"


def _walk(shape: Shape, column: str, direction: str, after: str, limit: str, offset: str) -> str:
    """The page along an index; in a category, the pages of every category below it, merged."""
    where = shape.where(*([after] if after else []))
    ordered = f"ORDER BY {column} {direction}, e.product_id {direction}"
    if not shape.has("category"):
        return f"SELECT e.product_id, {column} AS place FROM {shape.source} {where} {ordered} {limit} {offset}"
    inner = shape.where("e.category_id = shelf.id", *([after] if after else []))
    so_many = f"{limit} + {offset.removeprefix('OFFSET ')}" if offset else limit
    return f"""SELECT m.product_id, m.place FROM shelf CROSS JOIN LATERAL (
            SELECT e.product_id, {column} AS place FROM {shape.source} {inner} {ordered} {so_many}) AS m
        ORDER BY m.place {direction}, m.product_id {direction} {limit} {offset}"""


def _counted(shape: Shape) -> str:
    """How many matches: of a category exactly, from its counts; else counted no further than is worth it."""
    if shape.has("category"):
        return "coalesce((SELECT sum(products) FROM shelf), 0)::bigint AS total, true AS is_exact, false AS is_partial"
    whole = "(SELECT reltuples FROM pg_class WHERE oid = 'search.entry'::regclass)"
    along = "" if shape.conditions else "ORDER BY e.product_id"
    shape.tables.append(f"""counted AS MATERIALIZED (SELECT count(*) AS n FROM (
        SELECT e.product_id FROM {shape.source} {shape.where()} {along} LIMIT {COUNTED + 1}) AS bounded)""")
    return _bounded("(SELECT n FROM counted)", COUNTED, "0" if shape.conditions else whole)


def _bounded(counted: str, bound: int, estimate: str) -> str:
    """A count that reached its bound is only the least that the total can be."""
    return f"""CASE WHEN {counted} <= {bound} THEN {counted} ELSE greatest({bound}, {estimate}) END::bigint AS total,
        {counted} <= {bound} AS is_exact, false AS is_partial"""


def _few_or_walk(shape: Shape, column: str, direction: str, after: str, limit: str, offset: str) -> str:
    order = f"ORDER BY {column} {direction}, e.product_id {direction}"
    most = gathered(shape)
    wanted = limit.removeprefix("LIMIT ") + (f" + {offset.removeprefix('OFFSET ')}" if offset else "")
    wanted = f"({wanted})" if _tells(shape) else "0"
    asked = "CROSS JOIN asked" if shape.has("words") else ""
    shape.tables += [
        f"""tried AS MATERIALIZED (SELECT e.product_id, {column} AS place, e.seen FROM (
            SELECT e.*, row_number() OVER () AS seen FROM (
                SELECT * FROM search.entry AS e {f"WHERE {after}" if after else ""} {order} LIMIT {TRIED}
            ) AS e) AS e {asked}
            {shape.where(*shape.inside)} LIMIT {wanted})""",
        f"""guess AS MATERIALIZED (SELECT CASE WHEN count(*) < greatest({wanted}, 1) THEN 0 ELSE count(*) * (SELECT
             reltuples FROM pg_class WHERE oid = 'search.entry'::regclass) / max(seen) END AS total FROM tried)""",
        f"""few AS MATERIALIZED (SELECT * FROM (
            {shape.matches(f"e.product_id, {column} AS place", *([after] if after else []))} LIMIT {most + 1}
            ) AS gathered
            WHERE (SELECT total FROM guess) < {GATHERED})""",
    ]
    walked = _walk(shape, column, direction, after, limit, offset)
    return f"""(SELECT product_id, place FROM tried WHERE (SELECT total FROM guess) >= {GATHERED}
            ORDER BY place {direction}, product_id {direction} {limit} {offset})
        UNION ALL
        (SELECT product_id, place FROM few WHERE (SELECT count(*) FROM few) <= {most}
            ORDER BY place {direction}, product_id {direction} {limit} {offset})
        UNION ALL
        (SELECT product_id, place FROM ({walked}) AS walked WHERE (SELECT count(*) FROM few) > {most})"""


_FOLLOWS: Final = {
    "title": ("brand", "words"),
    "rating": ("rating_min",),
    "price": ("min_price", "max_price"),
    "-price": ("min_price", "max_price"),
}


def _tells(shape: Shape) -> bool:
    """Whether how soon matches come tells how many there are: not where the order follows the filter."""
    return not any(shape.has(word) for word in _FOLLOWS.get(shape.sort, ()))


def gathered(shape: Shape) -> int:
    """How many matches of a shape are gathered at most."""
    return GATHERED_BY_TITLE if shape.sort == "title" and not _tells(shape) else GATHERED


def _few_total(shape: Shape) -> str:
    guess, few = "(SELECT total FROM guess)", "(SELECT count(*) FROM few)"
    return f"""CASE WHEN {guess} >= {GATHERED} THEN {guess} ELSE least({few}, {gathered(shape)}) END::bigint AS total,
        {guess} < {GATHERED} AND {few} <= {gathered(shape)} AS is_exact, false AS is_partial"""


def _ranked(shape: Shape, column: str, after: str, limit: str, offset: str) -> str:
    full = f"e.product_id, {column.format(full='true')} AS place"
    some = shape.matches(f"e.product_id, {column.format(full='false')} AS place", "e.first_tier",
                         "e.product_id NOT IN (SELECT product_id FROM full_hits)")  # fmt: skip
    shape.tables += [
        f"first AS MATERIALIZED ({shape.matches(full, 'e.first_tier')} LIMIT {MOST_RANKED})",
        f"""full_hits AS MATERIALIZED (SELECT * FROM first UNION ALL
            (SELECT * FROM ({shape.matches(full, "NOT e.first_tier")}) AS others
            WHERE (SELECT count(*) FROM first) < {FIRST_ENOUGH} LIMIT {MOST_RANKED}))""",
        f"""ranked AS MATERIALIZED (SELECT * FROM full_hits UNION ALL
            (SELECT * FROM ({some.replace("asked.needed", "asked.partly")}) AS others
            WHERE (SELECT count(*) FROM full_hits) < {FULL_ENOUGH} LIMIT {MOST_RANKED}))""",
    ]
    beyond = f"WHERE {after.replace(column, 'place').replace('e.product_id', 'product_id')}" if after else ""
    return f"SELECT product_id, place FROM ranked {beyond} ORDER BY place DESC, product_id DESC {limit} {offset}"


def _ranked_total() -> str:
    """What was ranked; when the first tier was enough, as many times more as there are products beyond it."""
    return f"""CASE WHEN b.beyond THEN greatest(b.n, b.n * b.times)::bigint ELSE b.n END AS total,
        NOT b.beyond AND b.n < {MOST_RANKED} AS is_exact, NOT EXISTS (SELECT FROM full_hits) AS is_partial
        FROM (SELECT (SELECT count(*) FROM ranked) AS n,
            NOT (SELECT tier_open FROM search.state) AND (SELECT count(*) FROM first) >= {FIRST_ENOUGH} AS beyond,
            (SELECT greatest(sum(reltuples) FILTER (WHERE relkind = 'r')
                / greatest(sum(reltuples) FILTER (WHERE relkind = 'i'), 1), 1) FROM pg_class
                WHERE oid IN ('search.entry'::regclass, 'search.entry_found_first'::regclass)) AS times) AS b"""


def _alike(shape: Shape, after: str, limit: str, offset: str) -> str:
    shape.tables.append(f"""near AS MATERIALIZED (
        {shape.matches("e.product_id, alike.likeness AS place")})""")
    beyond = f"WHERE {after.replace('alike.likeness', 'place').replace('e.product_id', 'product_id')}" if after else ""
    return f"SELECT product_id, place FROM near {beyond} ORDER BY place DESC, product_id DESC {limit} {offset}"


def _alike_total() -> str:
    n = "(SELECT count(*) FROM near)"
    return f"{n} AS total, {n} < {MOST_ALIKE} AS is_exact, false AS is_partial"


WALKED: Final[dict[str, frozenset[str]]] = {
    "": frozenset(SORTS),
    "category": frozenset(SORTS),
    "brand": frozenset({"newest", "price", "-price"}),
}
"""Lists that have an index of their own, by their only filter."""


def strategy(sort: str, filters: list[str]) -> str:
    """How the first page of a list with these filters is found: `ranked`, `walk` or `few`."""
    if sort in ("relevance", "likeness"):
        return "ranked" if sort == "relevance" else "alike"
    return "walk" if len(filters) < 2 and sort in WALKED.get("".join(filters), frozenset()) else "few"


_NEEDS: Final = {"relevance": ("words",), "likeness": ("meaning",)}
"""Orders of what was asked for in words."""


def shapes() -> Iterator[tuple[str, ...]]:
    """Every sort with no filter, each filter and each pair of filters; every ending with each sort."""
    for sort in SORTS:
        least = _NEEDS.get(sort, ())
        others = [name for name in FILTERS if name not in (*least, "meaning", *(["words"] if least else []))]
        for size in range(3):
            for chosen in combinations(others, size):
                filters = [name for name in FILTERS if name in {*chosen, *least}]
                yield (sort, *filters, strategy(sort, filters))
        how = strategy(sort, [])
        for ending in (("after", "known"), ("offset",), ("count_exact",)):
            yield (sort, *least, how, *ending)
            yield (sort, "category", *least, how, *ending)
        if not least:
            yield (sort, "facts", "few", "after", "known")
            yield (sort, "facts", "few", "offset")
    yield ("relevance", "words", "ranked", "highlight")


LIST_PRODUCTS = Family("search.list_products", write, shapes)
