"""Lists and pages of products over HTTP."""

from __future__ import annotations

import pytest

from tests.making import a_product, new_product, some_products

PRICES = (500, 1500, 2500, 3500, 4500)


@pytest.fixture
async def lamps(db):
    """Five lamps of different prices, one of them sold out, and a chair."""
    async with db.tx() as tx:
        return await some_products(
            tx,
            *[new_product(title=f"Lamp number {n}", price=price, stock=0 if n == 4 else 5,
                          specifications={"watts": 10 * n, "dimmable": n % 2 == 0, "colour": "red"})
              for n, price in enumerate(PRICES)],
            new_product(title="Chair", price=9900, brand="Norrwood", category=("Furniture", "Chairs"),
                        tags=["wood", "gift"]),
        )  # fmt: skip


async def titles(shop, query: str) -> list[str]:
    answer = await shop.get(f"products?{query}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


async def test_a_list_is_one_statement(shop, lamps, queries):
    answer = await shop.get("products?category=lamps&sort=price")
    assert queries.names == ["search.list_products"]
    body = answer.json()
    assert [item["price"]["amount"] for item in body["items"]] == list(PRICES)
    assert (body["total"], body["total_is_exact"], body["next_cursor"]) == (5, True, None)
    assert body["items"][0].keys() == {
        "id", "slug", "sku", "external_id", "title", "brand", "price", "compare_at_price", "rating", "review_count",
        "in_stock", "image", "badge",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("category=lighting&sort=price&limit=2", ["Lamp number 0", "Lamp number 1"]),
        ("category=furniture", ["Chair"]),
        ("category=no-such-category", []),
        ("brand=Norrwood", ["Chair"]),
        ("brand=norrwood&max_price=9899", []),
        ("min_price=1500&max_price=2500&sort=-price", ["Lamp number 2", "Lamp number 1"]),
        ("in_stock=false", ["Lamp number 4"]),
        ("in_stock=true&min_price=3500&max_price=4500", ["Lamp number 3"]),
        ("tag=wood&tag=gift", ["Chair"]),
        ("tag=wood&tag=lamp", []),
        ("spec[watts]=20", ["Lamp number 2"]),
        ("spec[dimmable]=true&spec[watts]=40&sort=title", ["Lamp number 4"]),
        ("spec[colour]=red&sort=title&limit=1", ["Lamp number 0"]),
        ("q=chair", ["Chair"]),
        ("q=lamp+-number", []),
        ("rating_min=0.5", []),
    ],
)
async def test_filters(shop, lamps, query, expected):
    assert await titles(shop, query) == expected


async def test_category_by_id_is_the_same_as_by_slug(shop, lamps):
    category = (await shop.get("categories/lighting")).json()
    assert len(await titles(shop, f"category={category['id']}")) == 5


@pytest.mark.parametrize("sort", ["newest", "price", "-price", "rating", "title", "popular"])
async def test_cursors_visit_every_product_once_in_the_order_of_one_page(shop, lamps, sort):
    whole = await titles(shop, f"sort={sort}&limit=100")
    seen, cursor = [], ""
    while True:
        page = (await shop.get(f"products?sort={sort}&limit=2{cursor}")).json()
        seen += [item["title"] for item in page["items"]]
        assert page["total"] == 6
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == whole
    assert len(set(seen)) == 6


async def test_pages_for_people(shop, lamps):
    assert await titles(shop, "sort=price&limit=2&page=2") == ["Lamp number 2", "Lamp number 3"]
    beyond = (await shop.get("products?limit=2&page=9&count=exact")).json()
    assert (beyond["items"], beyond["total"], beyond["total_is_exact"]) == ([], 6, True)
    deep = await shop.get("products?limit=100&page=101")
    assert (deep.status_code, deep.json()["code"]) == (404, "page_too_deep")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_request"),
        ("limit=101", "invalid_request"),
        ("limit=ten", "invalid_request"),
        ("sort=cheapest", "invalid_request"),
        ("min_price=-1", "invalid_request"),
        ("in_stock=perhaps", "invalid_request"),
        ("cursor=nonsense", "bad_cursor"),
        ("cursor=%FF%FE", "bad_cursor"),
        ("cursor=W10", "bad_cursor"),
        ("q=a%00b", "invalid_text"),
        ("&".join(f"spec[s{n}]=1" for n in range(6)), "invalid_request"),
    ],
)
async def test_bad_input_is_a_problem_with_a_code(shop, query, code):
    answer = await shop.get(f"products?{query}")
    assert answer.status_code == (404 if code == "bad_cursor" else 422)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_a_cursor_belongs_to_its_sort(shop, lamps):
    cursor = (await shop.get("products?sort=price&limit=1")).json()["next_cursor"]
    answer = await shop.get(f"products?sort=-price&limit=1&cursor={cursor}")
    assert answer.json()["code"] == "bad_cursor"


async def test_a_page_is_one_statement_by_id_or_slug(shop, lamps, queries):
    by_id = await shop.get(f"products/{lamps[0]}")
    assert queries.names == ["catalog.show_product"]
    page = by_id.json()
    assert page["variants"][0]["available"] == 5
    assert page["in_stock"] is True
    assert [crumb["slug"] for crumb in page["breadcrumbs"]] == ["lighting", "lamps"]
    assert page["specifications"] == {"watts": 0, "dimmable": True, "colour": "red"}
    assert len(page["related"]) == 4
    assert (await shop.get(f"products/{page['slug']}")).json() == page


async def test_options_come_from_variants(shop, db):
    from tfmshop.commerce import catalog

    sizes = [catalog.NewVariant(sku=f"BAG-{size}", title=size, options={"size": size}, price=price, stock=1)
             for size, price in (("S", 100), ("L", 300))]  # fmt: skip
    async with db.tx() as tx:
        id = await a_product(tx, title="Bag", sku="BAG", variants=sizes)
    page = (await shop.get(f"products/{id}")).json()
    assert page["options"] == {"size": ["S", "L"]}
    assert [variant["price"]["amount"] for variant in page["variants"]] == [100, 300]


@pytest.mark.parametrize("name", ["no-such-product", "018f0000-0000-7000-8000-000000000000", "'; DROP TABLE x"])
async def test_unknown_products(shop, name):
    answer = await shop.get(f"products/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


async def test_a_known_etag_saves_the_body(shop, lamps):
    first = await shop.get(f"products/{lamps[0]}")
    again = await shop.get(f"products/{lamps[0]}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "public, no-cache"


async def test_categories_count_what_is_below_them(shop, lamps, queries):
    flat = (await shop.get("categories")).json()["items"]
    assert queries.names == ["catalog.list_categories"]
    assert {row["slug"]: (row["depth"], row["product_count"]) for row in flat} == {
        "furniture": (0, 1), "chairs": (1, 1), "lighting": (0, 5), "lamps": (1, 5),
    }  # fmt: skip
    tree = (await shop.get("categories/tree")).json()["items"]
    assert {branch["slug"]: [child["slug"] for child in branch["children"]] for branch in tree} == {
        "furniture": ["chairs"], "lighting": ["lamps"],
    }  # fmt: skip
    queries.clear()
    page = (await shop.get("categories/lighting")).json()
    assert queries.names == ["catalog.show_category"]
    assert (page["product_count"], [child["slug"] for child in page["children"]]) == (5, ["lamps"])
    assert [crumb["slug"] for crumb in page["breadcrumbs"]] == ["lighting"]
    deeper = (await shop.get("categories/lamps")).json()
    assert [crumb["slug"] for crumb in deeper["breadcrumbs"]] == ["lighting", "lamps"]
    assert (await shop.get("categories/none")).json()["code"] == "category_not_found"


async def test_search_is_one_statement_ranked_with_highlights(shop, db, lamps, queries):
    async with db.tx() as tx:
        await a_product(tx, title="Table", description="Goes well with a lamp", model="XJ-900")
    queries.clear()
    found = (await shop.get("search?q=lamp")).json()
    assert queries.names == ["search.list_products"]
    assert found["total"] == 6
    assert found["items"][-1]["title"] == "Table"
    assert found["items"][0]["highlight"].startswith("<em>Lamp</em> number")
    first = (await shop.get("search?q=lamp&limit=4")).json()
    rest = (await shop.get(f"search?q=lamp&limit=4&cursor={first['next_cursor']}")).json()
    assert [hit["id"] for hit in first["items"] + rest["items"]] == [hit["id"] for hit in found["items"]]
    assert [hit["title"] for hit in (await shop.get("search?q=xj-900")).json()["items"]] == ["Table"]
    assert (await shop.get('search?q="goes well"')).json()["total"] == 1
    assert (await shop.get("search?q=lamp -table")).json()["total"] == 5


async def test_search_escapes_titles_in_highlights(shop, db):
    async with db.tx() as tx:
        await a_product(tx, title="<script>alert(1)</script> quilt & cover")
    hit = (await shop.get("search?q=quilt")).json()["items"][0]
    assert "<script>" not in hit["highlight"]
    assert "<em>quilt</em> &amp; cover" in hit["highlight"]


async def test_suggestions(shop, lamps):
    assert len((await shop.get("search/suggest?q=number")).json()["items"]) == 5
    assert (await shop.get("search/suggest?q=%25")).json()["items"] == []
