"""Strings that break software, through every parameter of lists, search and pages."""

from __future__ import annotations

import json
from time import perf_counter
from urllib.parse import quote

import pytest

from tests.making import new_product, some_products
from tfmshop.commerce import search

PLACES = {
    "q of products": "products?q={0}",
    "q of search": "search?q={0}&facets=brand,price,rating",
    "q by price": "search?q={0}&sort=price&in_stock=true",
    "suggestions": "search/suggest?q={0}",
    "category": "products?category={0}",
    "brand": "products?brand={0}&q=lamp",
    "tag": "products?tag={0}&tag=lamp",
    "value of a specification": "products?spec[colour]={0}",
    "name of a specification": "products?spec[{0}]=x",
    "facets": "products?facets=spec[{0}]",
    "sort": "products?sort={0}",
    "cursor": "products?cursor={0}",
    "prices": "products?min_price={0}&max_price={0}",
    "page": "products?page={0}&limit={0}",
    "slug of a product": "products/{0}",
    "slug of a category": "categories/{0}",
    "reviews": "products/{0}/reviews?cursor={0}",
    "file": "media/{0}?width={0}&format={0}",
}
MOST = 500


@pytest.fixture(scope="session")
def hostile(data) -> list[str]:
    """500 strings: all of the naughty ones that fit an address, the rest from every payload file in turn."""
    strings = [text for text in json.loads((data / "hostile" / "blns.json").read_text()) if text]
    files = sorted((data / "hostile" / "payloads").glob("*.txt"))
    payloads = [path.read_text(errors="replace").splitlines() for path in files]
    more = [line for lines in payloads for line in lines[:: max(1, len(lines) // 15)] if line]
    return [text[:1500] for text in (*strings[:: max(1, len(strings) // 300)], *more)][:MOST]


@pytest.mark.parametrize("place", PLACES)
async def test_no_string_breaks_a_list_or_takes_long(shop, db, hostile, place):
    async with db.tx() as tx:
        await some_products(tx, *[new_product() for _ in range(30)])
    await search.learn(db, always=True)
    assert len(hostile) >= 450
    wrong = []
    for text in hostile:
        started = perf_counter()
        answer = await shop.get(PLACES[place].format(quote(text.encode("utf-8", "surrogatepass"), safe="")))
        seconds = perf_counter() - started
        if answer.status_code >= 500 or seconds > 1:
            wrong.append((text[:80], answer.status_code, round(seconds, 2)))
        elif answer.status_code >= 400:
            assert answer.json()["code"], text
    assert wrong == []
