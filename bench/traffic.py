"""A day of a shop as requests: what people look at follows Zipf's law, and the mix is that of a shop front.

| share | request | drawn from |
|---|---|---|
| 38 % | the page of a product | Zipf, s = 1.1, over all products |
| 8 % | its reviews, or what goes with it | the same |
| 22 % | a list: of a category, its first three pages, in five orders, with a filter now and then | Zipf, s = 1.0 |
| 14 % | a search, its first page | Zipf, s = 1.0, over 500 queries made of the words of titles |
| 6 % | a suggestion, two letters to a whole word | the same |
| 6 % | the tree of categories, or all of them | |
| 5 % | a cart: made, filled with two products, looked at | |
| 1 % | an order of such a cart | |

Shares and exponents are chosen, not measured: pages of products lead, and one visit in a hundred buys, as shops tell.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar
from urllib.parse import quote_plus

T = TypeVar("T")
QUERIES = 500
SORTS = ("", "&sort=price", "&sort=-price", "&sort=popular", "&sort=rating")
FILTERS = ("", "", "", "&in_stock=true", "&min_price=5000")


class Zipf(Generic[T]):
    """Draws of some things, the n-th with weight 1 / n ** s; which is the n-th is drawn, too."""

    def __init__(self, things: Sequence[T], s: float, draw: random.Random) -> None:
        self._things = draw.sample(list(things), len(things))
        self._sums = list(accumulate(1 / n**s for n in range(1, len(things) + 1)))
        self._draw = draw

    def __call__(self) -> T:
        """One of them."""
        return self._things[bisect(self._sums, self._draw.random() * self._sums[-1])]


@dataclass(frozen=True)
class Visit:
    """A GET of `path`, or a cart with these products, ordered or not."""

    path: str = ""
    products: tuple[str, ...] = ()
    ordered: bool = False


def visits(seed: int, products: Sequence[tuple[str, str, str]], categories: Sequence[str]) -> Iterator[Visit]:
    """Endless visits to a shop with products (id, slug, title) and categories (slugs); the same for the same seed."""
    draw = random.Random(seed)
    product, category = Zipf(products, 1.1, draw), Zipf(categories, 1.0, draw)
    titles = sorted(title for _, _, title in products)
    query = Zipf([_query(draw, draw.choice(titles)) for _ in range(QUERIES)], 1.0, draw)
    while True:
        what = draw.random()
        if what < 0.38:
            yield Visit(f"/products/{product()[1]}")
        elif what < 0.46:
            yield Visit(f"/products/{product()[1]}/{draw.choice(['reviews', 'related'])}")
        elif what < 0.68:
            page = draw.choices([1, 2, 3], [80, 14, 6])[0]
            order = draw.choices(SORTS, [70, 10, 5, 10, 5])[0]
            yield Visit(f"/products?category={category()}{order}{draw.choice(FILTERS)}{f'&page={page}' * (page > 1)}")
        elif what < 0.82:
            yield Visit(f"/search?q={quote_plus(query())}")
        elif what < 0.88:
            word = query().split()[0]
            yield Visit(f"/search/suggest?q={quote_plus(word[: draw.randint(2, max(2, len(word)))])}")
        elif what < 0.94:
            yield Visit(draw.choice(["/categories/tree", "/categories", f"/categories/{category()}"]))
        else:
            yield Visit(products=(product()[0], product()[0]), ordered=what >= 0.99)


def _query(draw: random.Random, title: str) -> str:
    words = title.split()
    start = draw.randrange(len(words))
    return " ".join(words[start : start + draw.choice([1, 1, 2, 2, 3])])
